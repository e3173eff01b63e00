"""Shards of a plan, computed by processes that know nothing of each other, and merged: equal to one run."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.planning.shards import Shard, parse_shard
from kit.command import EACH_BATCH, Session, kill_after_rows
from kit.views import views

SHORT = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
FEW = ("--resamples", "100", "--threads", "1", "--workers", "1")
JOB = (
    *("run", "--task", "detection", "--codec", "jpeg@60,40,5", "--limit", "13", *FEW),
    *("--retrain", "5", *SHORT),
)
MERGE = ("results", "merge", "--resamples", "100")
PARTS = 4


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """whole.db: the job. part-1.db to part-4.db: its shards; the second was killed and run again."""
    session = Session(tmp_path_factory.mktemp("shards"), cache)
    session.run(*JOB, "--db", "whole.db")
    for number in range(1, PARTS + 1):
        part = (*JOB, "--shard", f"{number}/{PARTS}", "--db", f"part-{number}.db")
        if number == 2:
            session.database = session.folder / "part-2.db"
            process = session.start(*part, before=EACH_BATCH)
            assert kill_after_rows(session, process, 3, signal.SIGKILL) < 30
            process.communicate(timeout=60)
        session.run(*part)
    return session


def rows_of(session: Session, names: Iterable[str]) -> list[tuple[str, int]]:
    found = []
    for name in names:
        with closing(sqlite3.connect(session.folder / name)) as connection:
            query = "select e.key, s.sample_index from samples s join experiments e on e.id = s.experiment_id"
            found += connection.execute(query).fetchall()
    return found


PART_FILES = [f"part-{number}.db" for number in range(1, PARTS + 1)]


def test_every_sample_is_in_one_shard(session: Session) -> None:
    rows = rows_of(session, PART_FILES)
    assert sorted(rows) == sorted(rows_of(session, ["whole.db"]))
    counts = [len(rows_of(session, [name])) for name in PART_FILES]
    *others, trained = sorted(counts)
    assert trained == 52  # its cells stay together
    assert max(others) - min(others) <= 4  # a batch


@pytest.mark.parametrize("order", [PART_FILES, PART_FILES[::-1]], ids=["forwards", "backwards"])
def test_all_shards_merged_are_one_run(session: Session, order: list[str]) -> None:
    merged = f"from-{order[0]}"
    out = session.run(*MERGE, *order, "-o", merged)
    assert out.stderr == ""
    assert views(session, merged) == views(session, "whole.db")
    assert "Nothing differs." in session.run("doctor", "--database", "--db", merged).stdout
    again = session.run(*JOB, "--db", merged)
    assert "all found in the database" in again.stderr


def test_missing_shards_are_named_and_can_come_later(session: Session) -> None:
    some = [name for name in PART_FILES if name not in ("part-2.db", "part-3.db")]
    out = session.run(*MERGE, *some, "-o", "some.db")
    assert "experiments are partial" in out.stderr
    shown = session.run("results", "--failed", "--db", "some.db").stdout
    assert "missing: shards 2/4, 3/4" in " ".join(shown.split())
    recommended = session.run("recommend", "--task", "detection", "--db", "some.db", status=None)
    assert "Traceback" not in recommended.stderr
    session.run(*MERGE, "part-3.db", "part-2.db", "-o", "some.db", "--into")
    assert views(session, "some.db") == views(session, "whole.db")


def test_a_part_can_be_completed_by_an_ordinary_run(session: Session) -> None:
    (session.folder / "alone.db").write_bytes((session.folder / "part-1.db").read_bytes())
    session.run(*JOB, "--db", "alone.db")
    assert views(session, "alone.db") == views(session, "whole.db")


def test_what_does_not_fit_together_is_refused_by_name(session: Session) -> None:
    (session.folder / "copy.db").write_bytes((session.folder / "part-1.db").read_bytes())
    twice = session.run(*MERGE, "part-1.db", "copy.db", "-o", "no.db", status=2)
    assert "shard 1/4 is given twice: by part-1.db and by copy.db" in twice.stderr
    other = [word if word != "13" else "12" for word in JOB]
    session.run(*other, "--shard", "4/4", "--db", "other.db")
    different = session.run(*MERGE, "part-1.db", "other.db", "-o", "no.db", status=2)
    assert "part-1.db and other.db are shards of different plans" in different.stderr
    assert not (session.folder / "no.db").exists()


def test_a_run_of_a_shard_says_what_is_partial(session: Session) -> None:
    again = session.run(*JOB, "--shard", "2/4", "--db", "part-2.db")
    assert "partial: " in again.stderr
    assert "samples; the others are in other shards" in " ".join(again.stderr.split())
    planned = session.run("plan", *JOB[1:7], "--shard", "1/4", "--db", "new.db").stdout
    assert "1 experiments, 1 to do" in planned  # of four


@pytest.mark.parametrize("text", ["0/16", "17/16", "1/0", "x", "1", "1/2/3", "-1/4", "1/1e3", "9999999/9999999"])
def test_a_shard_that_is_none_is_refused(session: Session, text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert "--shard" in session.run(*JOB, f"--shard={text}", "--db", "new.db", status=2).stderr


def test_a_shard_is_read() -> None:
    assert parse_shard(" 3/16 ") == Shard(3, 16)
    assert str(Shard(3, 16)) == "3/16"
