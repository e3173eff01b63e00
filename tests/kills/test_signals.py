"""Signals at any time of a run, to its process and to its process group: nothing hangs, and nothing is lost.

`HARNESS_KILLS=20 pytest tests/kills -s` sends each signal twenty times in each way, and prints what came of it.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from kit.command import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and process groups of Linux")

TIMES = int(os.environ.get("HARNESS_KILLS", "1"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
RUN = ("run", "--task", "detection", "--codec", "jpeg@90,50", "--codec", "webp@50", "--limit", "24")
RUN += ("--workers", "2", "--resamples", "100", "--quiet")
SLOWLY = """
import time
import harness.engine.runner
from harness_plugins.sql_store import SqlStore

whole = SqlStore.write

def write(self, *arguments):
    whole(self, *arguments)
    time.sleep(0.05)

SqlStore.write = write
import harness.engine.collecting
harness.engine.collecting.CHUNK_SECONDS = 0
"""
MOST = 60.0
"""Seconds that a run may take to end."""


def group(pid: int) -> set[int]:
    """The processes of a process group."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pid and fields[0] != "Z":
            found.add(int(file.parent.name))
    return found


def rows(session: Session) -> int:
    try:
        return int(session.select("select count(*) from samples")[0][0])
    except sqlite3.Error:
        return 0


def begun(session: Session, process: subprocess.Popen[str], more: int) -> int:
    """Wait until the run has written some rows more than the database had; gives how many there are."""
    wanted = rows(session) + more
    deadline = time.monotonic() + 120
    while (held := rows(session)) < wanted and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return held


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    session = Session(tmp_path_factory.mktemp("right"), cache)
    session.run(*RUN)
    return session


@pytest.mark.parametrize("whole", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_a_run_in_order(
    tmp_path: Path, cache: Path, right: Session, number: signal.Signals, whole: bool
) -> None:
    session = Session(tmp_path, cache)
    draw = random.Random(f"{number} {whole}")
    statuses: Counter[int | str] = Counter()
    longest = 0.0
    for time_ in range(TIMES):
        if session.database.exists() and rows(session) > 48:
            session.database = tmp_path / f"{time_}.db"
            session.env["HARNESS_DB"] = f"sqlite:///{session.database}"
        process = session.start(*RUN, before=SLOWLY)
        held = begun(session, process, draw.choice([0, 1, 5, 20]))
        time.sleep(draw.random() * 0.5)
        at = time.monotonic()
        (os.killpg if whole else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=MOST)
        longest = max(longest, time.monotonic() - at)
        over = process.returncode == 0 and rows(session) == 96 and "stopping" not in err  # it had ended before
        if number == signal.SIGINT and "Fatal Python error: init_import_site" in err:
            statuses["in Python's own start"] += 1  # nothing of the harness had been imported
            continue
        statuses[process.returncode] += 1
        assert over or process.returncode in (128 + number, -number), f"{out}\n{err}"
        if process.returncode > 0:
            assert "Traceback" not in err, err
            # Ctrl-C before the run has begun is Python's own, and has nothing to stop.
            early = number == signal.SIGINT and err.count("interrupted; ") == 1
            assert err.count("stopping: ") == 1 or (early and "stopping: " not in err)
        while group(process.pid):  # workers whose run has gone see that by themselves
            assert time.monotonic() - at < MOST, group(process.pid)
            time.sleep(0.05)
        assert rows(session) >= held
        if session.database.exists():
            stored = "select count(*) from experiments where status not in ('interrupted', 'finished')"
            assert session.select(stored) == [(0,)] or process.returncode < 0
    session.run(*RUN)
    assert session.values() == right.values()
    print(f"{number.name} to the {'group' if whole else 'process'}: {dict(statuses)}, at most {longest:.1f} s")
