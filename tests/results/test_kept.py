"""Answers from kept resamples are those from statistics; what is kept is never believed if it does not fit."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import harness.results.resampled as resampled_module
from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.results.cells import read_cells
from harness.results.ladders import cases_of
from harness.results.resampled import RATE, Resampler
from harness.statistics.intervals import Replicates, replicates
from harness.store import Filters
from kit.command import Session
from kit.report import made_results, with_a_failed_sample

QUESTIONS = (
    ("recommend", "--max-drop", "60%", "--json"),
    ("recommend", "--max-drop", "2%", "--metric", "AP50", "--task", "detection", "--json"),
    ("compare", "jpeg", "jpeg/matched", "--task", "detection", "--json"),
    ("compare", "jpeg", "webp", "--task", "detection", "--format", "csv"),
    ("results", "study"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


@pytest.fixture
def session(made: Session, tmp_path: Path) -> Session:
    """A copy of the results, of which 100 resamples of the primary metrics are kept."""
    shutil.copy(made.database, tmp_path / "harness.db")
    return Session(tmp_path, Path(made.env["HARNESS_CACHE"]))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was resampled from statistics."""
    made: list[Any] = []

    def counted(*arguments: Any, **named: Any) -> Replicates:
        made.append(named.get("only"))
        return replicates(*arguments, **named)

    monkeypatch.setattr(resampled_module, "replicates", counted)
    return made


def change(session: Session, sql: str, *values: Any) -> int:
    with closing(sqlite3.connect(session.database)) as connection, connection:
        return connection.execute(sql, values).rowcount


def answers(session: Session, *more: str) -> list[str]:
    """What the commands print, without the warnings."""
    return [session.run(*question, *more, status=None).stdout for question in QUESTIONS]


FEW = ("--resamples", "100")


def test_a_run_keeps_the_resamples_that_questions_need(session: Session, calls: list[Any]) -> None:
    assert (
        change(session, "UPDATE resamples SET seed = seed") == change(session, "UPDATE experiments SET run = run") > 9
    )
    from_kept = [session.run(*question, *FEW, status=None) for question in QUESTIONS]
    assert not [told.stderr for told in from_kept if "kept" in told.stderr]
    assert not [only for only in calls if only is not None and set(only) <= {"AP", "mIoU"}]
    counted = len(calls)
    change(session, "DELETE FROM resamples")
    assert answers(session, *FEW) == [told.stdout for told in from_kept]
    assert len(calls) > 2 * counted


def test_every_bit_is_that_of_the_statistics(session: Session, calls: list[Any]) -> None:
    session.run("results", "refresh", "--resamples", "150")
    store = open_store(str(session.database), installed(), write=False)
    cells = [cell for case in cases_of(read_cells(store, Filters())) for cell in case.every]
    identities = store.identities([cell.facts["experiment"] for cell in cells])

    def bits() -> Iterator[bytes]:
        draws = Resampler(dict.fromkeys(identities, store), identities, installed(), 150, 0, warn=pytest.fail)
        for cell in cells:
            primary = next(name for name, metric in cell.metrics.items() if metric.is_primary)
            for name in (RATE, primary):
                (found,) = draws.together([([cell], name)])
                told = found.replicates
                yield repr((found.value, found.samples, told.groups, told.source, name in told.ratios)).encode()
                yield told.resampled[name].tobytes()

    with closing(store):
        from_kept = list(bits())
        assert not calls
        change(session, "DELETE FROM resamples")
        assert list(bits()) == from_kept
        assert len(calls) >= len(cells) > 9


def test_refresh_makes_what_is_missing_wrong_or_of_other_resamples(session: Session) -> None:
    count = change(session, "UPDATE resamples SET seed = seed")

    def refreshed(*more: str) -> str:
        told = session.run("results", "refresh", *more)
        assert "warning" not in told.stderr
        return told.stdout

    assert f"of 0 were computed, of {count} were right" in refreshed(*FEW)
    before = session.select("SELECT * FROM resamples ORDER BY experiment")
    change(session, "UPDATE resamples SET origin = 'x' WHERE rowid IN (SELECT rowid FROM resamples LIMIT 2)")
    change(session, "UPDATE resamples SET data = x'00' WHERE rowid IN (SELECT max(rowid) FROM resamples)")
    change(session, "DELETE FROM resamples WHERE rowid IN (SELECT rowid FROM resamples LIMIT 1 OFFSET 4)")
    assert f"of 4 were computed, of {count - 4} were right" in refreshed(*FEW)
    assert session.select("SELECT * FROM resamples ORDER BY experiment") == before
    assert f"of {count} were computed, of 0 were right" in refreshed("--resamples", "120")
    assert session.select("SELECT DISTINCT resamples, seed FROM resamples") == [(120, 0)]
    told = session.run("results", "refresh", "--db", "nothing.db", status=2)
    assert "there is no results database nothing.db" in told.stderr
    assert not (session.folder / "nothing.db").exists()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "UPDATE resamples SET data = CAST(substr(data, 1, length(data) - 40) || randomblob(40) AS BLOB)",
            "they are damaged",
        ),
        ("UPDATE resamples SET origin = replace(origin, 'a', 'b')", "of other statistics, or were made by another"),
    ],
)
def test_what_is_damaged_or_of_something_else_is_told_and_computed(
    session: Session, sql: str, reason: str, calls: list[Any]
) -> None:
    question = ("recommend", "--task", "detection", "--max-drop", "60%", *FEW)
    expected = session.run(*question)
    assert not calls
    change(session, sql)
    told = session.run(*question)
    assert calls
    assert told.stdout == expected.stdout
    (line,) = [line for line in told.stderr.splitlines() if "kept" in line]
    assert reason in line
    assert "`harness results refresh` keeps them again" in line


def test_statistics_that_changed_are_resampled(session: Session, calls: list[Any]) -> None:
    question = ("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "60%", "--json", *FEW)
    before = session.run(*question).stdout
    where = "task = 'detection' AND codec = 'none' AND training = 'pretrained'"
    level = f"(SELECT id FROM experiments WHERE {where})"
    first = f"(SELECT data FROM statistics WHERE experiment_id = {level} ORDER BY sample_index LIMIT 1)"
    last = f"(SELECT max(sample_index) FROM samples WHERE experiment_id = {level})"
    swap = f"UPDATE statistics SET data = {first} WHERE experiment_id = {level} AND sample_index = {last}"
    assert change(session, swap) == 1
    from_kept = session.run(*question)
    assert "of other statistics" in from_kept.stderr
    change(session, "DELETE FROM resamples")
    assert session.run(*question).stdout == from_kept.stdout != before


def test_a_level_in_which_a_sample_failed_is_resampled_on_what_is_left(made: Session, tmp_path: Path) -> None:
    where = "task = 'detection' AND codec = 'jpeg' AND level = 30 AND training = 'pretrained'"
    session = with_a_failed_sample(made, tmp_path, where, "the decoder gave up")
    session.run("results", "refresh", *FEW)
    from_kept = answers(session, *FEW)
    change(session, "DELETE FROM resamples")
    assert answers(session, *FEW) == from_kept


def test_a_merged_database_has_what_its_parts_keep(session: Session, calls: list[Any]) -> None:
    (session.folder / "a.db").write_bytes(session.database.read_bytes())
    session.database.rename(session.folder / "b.db")
    for file, codec in (("a.db", "webp"), ("b.db", "jpeg")):
        with closing(sqlite3.connect(session.folder / file)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("DELETE FROM experiments WHERE codec = ? AND training = 'pretrained'", (codec,))
    session.run("results", "merge", "a.db", "b.db", "-o", "harness.db", *FEW)
    calls.clear()
    told = session.run("recommend", "--task", "detection", "--max-drop", "60%", *FEW)
    assert not calls
    assert "kept" not in told.stderr
    change(session, "DELETE FROM resamples")
    assert session.run("recommend", "--task", "detection", "--max-drop", "60%", *FEW).stdout == told.stdout
    assert calls


def test_a_report_is_the_same_with_and_without_what_is_kept(session: Session, calls: list[Any]) -> None:
    session.run("results", "refresh")
    asked = ("report", "--samples", "0", "--max-drop", "60%", "-o")
    session.run(*asked, "kept.html")
    assert not calls
    change(session, "DELETE FROM resamples")
    session.run(*asked, "computed.html")
    assert calls
    assert (session.folder / "kept.html").read_bytes() == (session.folder / "computed.html").read_bytes()


def test_a_store_that_keeps_nothing_is_told_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.finish.refresh import keep_resamples
    from harness.progress import OnlyWarnings
    from harness.store import Store
    from harness_plugins.sql_store import SqlStore

    monkeypatch.setattr(SqlStore, "keep_resamples", Store.keep_resamples)
    monkeypatch.setattr(SqlStore, "resamples", Store.resamples)
    warnings: list[str] = []
    with closing(open_store(str(session.database), installed())) as store:
        found = keep_resamples(store, installed(), OnlyWarnings(warnings.append), 100)
    assert (found.made, found.right, warnings) == (0, 0, ["the store sql keeps no resampled metrics."])
    assert session.run("recommend", "--task", "detection", "--max-drop", "60%", *FEW).stdout
