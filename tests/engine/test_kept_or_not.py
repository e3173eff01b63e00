"""What a run does not continue, does not keep, and does not take: each costs itself, and is told in a sentence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit import hostile
from kit.command import Session
from kit.plugins import write_distribution

RUN = ("run", "--resamples", "100", "--task", "detection", "--model", "good", "--dataset", "good-pictures")
HUGE = "1" + "0" * 299


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write_distribution(plugins, "dist-hostile", "plugged_hostile", hostile.SOURCE, version="3.1")
    return Session(tmp_path, cache, path=plugins)


def test_an_interrupted_experiment_that_was_altered_costs_itself_alone(session: Session) -> None:
    session.run(*RUN, "--codec", "good-plain")
    with closing(sqlite3.connect(session.database)) as connection, connection:
        altered = "update experiments set status = 'interrupted', planned_samples = 4 where codec = 'good-plain'"
        assert connection.execute(altered).rowcount == 1
    before = session.select("select * from experiments where codec = 'good-plain'")
    result = session.run(*RUN, "--codec", "good-plain", "--codec", "jpeg@50", status=1)
    (failed,) = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert "good-plain@5 detection good" in failed
    assert "it was altered since it was interrupted or failed" in failed
    assert "Traceback" not in result.stderr
    assert session.select("select codec, status from experiments order by codec") == [
        ("good-plain", "interrupted"),
        ("jpeg", "finished"),
        ("none", "finished"),
    ]
    assert session.select("select * from experiments where codec = 'good-plain'") == before


@pytest.mark.parametrize(("seed", "kept"), [("0", 2), ("3", 0)])
def test_resamples_of_another_seed_are_not_kept_because_nobody_uses_them(
    session: Session, seed: str, kept: int
) -> None:
    session.run(*RUN, "--codec", "good-plain", "--seed", seed)
    assert session.select("select count(*) from resamples") == [(kept,)]
    assert session.select("select distinct interval_seed from experiments") == [(int(seed),)]


def test_a_plugin_that_is_left_out_and_not_there_is_told(session: Session) -> None:
    session.env["HARNESS_DISABLE"] = "nobody,study"
    told = session.run("list", "tasks").stderr
    assert told.count("warning: HARNESS_DISABLE: no plugin is named 'nobody', so nothing is left out by that.") == 1
    assert "'study'" not in told
    assert "plugged_hostile" in told


@pytest.mark.parametrize("option", ["--batch", "--seed", "--resamples", "--workers", "--threads", "--sample-timeout"])
def test_a_number_of_300_digits_is_refused_in_a_sentence(session: Session, option: str) -> None:
    value = HUGE + "0" * 100 if option == "--sample-timeout" else HUGE
    refused = session.run(*RUN, "--codec", "good-plain", option, value, status=2).stderr
    assert option in refused
    assert "Traceback" not in refused
    assert not session.database.exists()
