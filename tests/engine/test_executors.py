"""Executors that lose rows, give them twice, or give rows of others: each is found out, and no number changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.command import Session
from kit.plugins import write_distribution

SOURCE = """
from harness import hookimpl
from harness.executor import Executor
from harness.engine.predict import run_unit
from dataclasses import replace

class Odd(Executor):
    name = "odd"
    calls = 0

    def run(self, units, settings, progress):
        Odd.calls += 1
        for unit in units:
            batches = list(run_unit(unit, settings, progress))
            yield from self.changed(batches)

    def changed(self, batches):
        BODY

@hookimpl
def harness_executors():
    return [Odd]
"""
LOSES_ONCE = "return batches[::2] if Odd.calls == 1 else batches"
LOSES_ALWAYS = "return batches[:-2]"
TWICE = "return [*batches, *batches[:2]]"
ANOTHER_ORDER = "return batches[::-1]"
FOREIGN = """odd = replace(batches[0], key='0' * 64, rows=tuple(replace(row, key='0' * 64) for row in batches[0]))
        return [*batches, odd, replace(batches[0], rows=(), seconds={'brewing': 1.0})]"""
QUICK = ("run", "--task", "detection", "--codec", "jpeg@15", "--limit", "6", "--resamples", "100", "--workers", "0")


ODD = (*QUICK, "--executor", "odd")


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    (tmp_path / "plugins").mkdir()
    return Session(tmp_path, cache, path=tmp_path / "plugins")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    session = Session(tmp_path_factory.mktemp("undisturbed"), cache)
    session.run(*QUICK)
    return session


def install(session: Session, body: str) -> None:
    write_distribution(session.folder / "plugins", "odd-executor", "odd_executor", SOURCE.replace("BODY", body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (LOSES_ONCE, ""),
        (TWICE, "executor odd gave 2 rows twice: the first ones count."),
        (ANOTHER_ORDER, ""),
        (FOREIGN, "executor odd gave 1 rows that were not asked for: left out."),
    ],
)
def test_no_number_changes(session: Session, undisturbed: Session, body: str, told: str) -> None:
    install(session, body)
    result = session.run_process(*ODD)
    assert told in result.stderr.replace("\n", " ")
    assert session.values() == undisturbed.values()
    assert session.select("select distinct status from experiments") == [("finished",)]


def test_rows_that_are_lost_for_good_leave_the_experiment_unfinished(session: Session, undisturbed: Session) -> None:
    install(session, LOSES_ALWAYS)
    result = session.run_process(*ODD, status=1)
    assert "executor odd gave no result for 1 of 6 samples of none detection" in result.stderr.replace("\n", " ")
    assert session.select("select status, count(*) from experiments group by status") == [("interrupted", 2)]
    assert session.select("select count(*) from samples") == [(10,)]
    assert session.run(*QUICK).returncode == 0
    assert session.values() == undisturbed.values()
