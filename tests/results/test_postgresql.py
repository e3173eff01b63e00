"""Results on a PostgreSQL server: runs, questions, faults and merges, each held to what SQLite gives."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.command import EACH_BATCH, Session
from kit.postgres import Server, skip_without_server
from kit.views import VIEWS, views

skip_without_server()

SHORT = ("--set", "iterations=2", "--set", "batch=2", "--set", "checkpoint=2", "--set", "warmup=1")
FEW = ("--quiet", "--resamples", "100", "--threads", "1", "--workers", "1")
JOB = ("run", "--task", "detection", "--codec", "jpeg@60,5", "--limit", "12", *FEW)
RETRAINED = ("run", "--task", "detection", "--codec", "jpeg@5", "--limit", "12", *FEW, "--retrain", "matched", *SHORT)
TASKS = ("run", "--task", "segmentation", "--task", "action", "--codec", "jpeg:scale=0.5@10", "--limit", "4", *FEW)
PASSWORD = "s3cret%21"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("postgres") / "log")
    yield running
    running.remove()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """harness.db: what the jobs give on SQLite, undisturbed. alone.db: the first job."""
    session = Session(tmp_path_factory.mktemp("runs"), cache)
    session.run(*JOB, "--db", "alone.db")
    for job in (JOB, RETRAINED, TASKS):
        session.run(*job)
    return session


@pytest.fixture(scope="module")
def whole(session: Session, server: Server) -> str:
    """The URL of a database with the same jobs."""
    url = server.fresh("whole")
    for job in (JOB, RETRAINED, TASKS):
        session.run(*job, "--db", server.url("whole", PASSWORD))
    return url


def test_all_views_are_equal_to_those_of_sqlite(session: Session, whole: str) -> None:
    right = views(session, "harness.db")
    assert views(session, whole) == right
    assert all(right[view] for view in VIEWS)


@pytest.mark.parametrize(
    "question",
    [
        ("results",),
        ("results", "--task", "detection", "--metric", "AP50", "--format", "markdown"),
        ("results", "recovery"),
        ("results", "matrix", "--task", "detection"),
        ("recommend", "--task", "detection", "--max-drop", "20%"),
        ("results", "tables"),
    ],
    ids=" ".join,
)
def test_answers_are_those_of_sqlite(session: Session, whole: str, question: tuple[str, ...]) -> None:
    right = session.run(*question, "--db", "harness.db", status=None)
    found = session.run(*question, "--db", whole, status=None)
    assert (found.returncode, found.stdout) == (right.returncode, right.stdout)
    assert len(right.stdout) > 100


def test_what_is_there_is_found(session: Session, whole: str) -> None:
    loud = [word for word in JOB if word != "--quiet"]
    assert "3 experiments, all found in the database." in session.run(*loud, "--db", whole).stderr
    assert "Nothing differs." in session.run("doctor", "--database", "--db", whole).stdout


def test_no_password_is_kept_or_shown(session: Session, server: Server, whole: str) -> None:
    commands = server.ask("whole", "select command from runs")
    assert commands.count("postgresql://harness:***@127.0.0.1") == 3
    server.ask("whole", "create table dump as select row_to_json(r)::text as words from runs r")
    assert (
        server.ask("whole", f"select count(*) from dump where words like '%{PASSWORD}%' or words like '%s3cret%'")
        == "0"
    )
    server.ask("whole", "drop table dump")
    for command in (("doctor", "--database"), ("doctor",), ("results",), ("results", "--task", "pose")):
        shown = session.run(*command, "--db", server.url("whole", PASSWORD), status=None)
        assert "s3cret" not in shown.stdout + shown.stderr, command
    nowhere = server.url("nowhere", PASSWORD)
    for command in (("results",), JOB, ("doctor", "--database"), ("doctor", nowhere)):
        failed = session.run(*command, "--db", nowhere, status=2)
        assert "nowhere" in failed.stdout + failed.stderr, command
        assert "s3cret" not in failed.stdout + failed.stderr, command


def start(session: Session, url: str) -> subprocess.Popen[str]:
    return session.start(*JOB, "--db", url, before=EACH_BATCH)


def wait_for_rows(server: Server, database: str, rows: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        held = server.ask(database, "select count(*) from samples")
        if held.isdigit() and int(held) >= rows:
            return
        time.sleep(0.05)
    raise AssertionError(f"{rows} samples were never written")


def test_a_run_goes_on_when_the_server_was_stopped_and_started(session: Session, server: Server) -> None:
    url = server.fresh("stopped")
    process = start(session, url)
    wait_for_rows(server, "stopped", 3)
    server.stop()
    time.sleep(2)
    server.start()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert views(session, url) == views(session, "alone.db")


def test_a_run_whose_server_stays_away_ends_and_is_continued(session: Session, server: Server) -> None:
    url = server.fresh("away")
    shorter = f"{EACH_BATCH}\nimport harness_plugins.sql_store.database as database\ndatabase.WAIT = 1\n"
    process = session.start(*JOB, "--db", url, before=shorter)
    wait_for_rows(server, "away", 3)
    server.stop()
    try:
        _, err = process.communicate(timeout=300)
    finally:
        server.start()
    assert process.returncode in (1, 2)
    assert "cannot be reached" in err
    assert "Traceback" not in err
    session.run(*JOB, "--db", url)
    assert views(session, url) == views(session, "alone.db")


def test_a_run_that_is_killed_is_continued(session: Session, server: Server) -> None:
    url = server.fresh("killed")
    for rows in (2, 9, 20):
        process = start(session, url)
        wait_for_rows(server, "killed", rows)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    session.run(*JOB, "--db", url)
    assert views(session, url) == views(session, "alone.db")


def test_four_runs_at_once_share_the_work(session: Session, server: Server) -> None:
    url = server.fresh("four")
    processes = [start(session, url) for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, out + err
    assert views(session, url) == views(session, "alone.db")


def test_files_are_merged_into_a_server_and_a_server_into_a_file(session: Session, server: Server, whole: str) -> None:
    for name, job in (("a.db", JOB), ("b.db", RETRAINED), ("c.db", TASKS)):
        session.run(*job, "--db", name)
    url, merge = server.fresh("merged"), ("results", "merge", "--resamples", "100")
    out = session.run(*merge, "a.db", "b.db", "c.db", "-o", server.url("merged", PASSWORD))
    assert "s3cret" not in out.stdout + out.stderr
    assert views(session, url) == views(session, "harness.db")
    refused = session.run(*merge, "a.db", "-o", url, status=2)
    assert "it is there already" in refused.stderr
    assert "0 experiments taken, 3 were finished already" in session.run(*merge, "a.db", "-o", url, "--into").stdout
    session.run(*merge, url, "-o", "from_server.db")
    assert views(session, "from_server.db") == views(session, "harness.db")
