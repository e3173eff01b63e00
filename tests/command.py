"""Runs the command line as a user does: in a process of its own, with a database and a cache of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

__all__ = ["Session", "kill_after_rows", "run"]


_SLOW = """
import time
import harness.engine.runner
from harness_plugins.sql_store import SqlStore

harness.engine.runner.CHUNK_SECONDS = 0
whole = SqlStore.write

def write(self, *arguments):
    whole(self, *arguments)
    time.sleep(0.3)

SqlStore.write = write
"""


class Session:
    """A working directory with a database, and the commands run in it.

    Args:
        folder: the working directory.
        cache: the cache folder, shared so that scenes are rendered once.
    """

    def __init__(self, folder: Path, cache: Path, path: Path | None = None) -> None:
        self.folder = folder
        self.database = folder / "harness.db"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")}
        self.env |= {"HARNESS_CACHE": str(cache), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        if path:
            self.env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH"))))
        self.code = "from harness.cli import main; main()"

    def write_each_batch(self) -> None:
        """Let commands write every batch at once, not in chunks, and wait after each, so that they can be interrupted.

        Without the wait a run of few samples may be over before a busy machine looks at what it wrote.
        """
        self.code = f"{_SLOW}\n{self.code}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A running command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", self.code, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            # A test run in the background ignores Ctrl-C, and its children inherit that; a user's shell does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """A finished command, whose exit status is checked."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=900)
        if status is not None:
            assert process.returncode == status, f"exit status {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read by sqlite3 itself."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def values(self) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Everything a run measured, by cell and metric: what must not depend on how it was carried out."""
        columns = "value, ci_low, ci_high, bpp, bytes, psnr, samples, failed_samples, status"
        rows = self.select(f"select experiment, codec, level, metric, {columns} from results")
        drops = self.select("select experiment, metric, 'drop', \"drop\", drop_ci_low, drop_ci_high from curves")
        return {row[:4]: row[4:] for row in rows} | {row[:3]: row[3:] for row in drops}


def kill_after_rows(session: Session, process: subprocess.Popen[str], rows: int, number: int = signal.SIGKILL) -> int:
    """Send a signal to the whole process group once the database holds so many samples; gives how many it held."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            held = session.select("select count(*) from samples")[0][0]
        except sqlite3.Error:
            held = 0
        if held >= rows:
            os.killpg(process.pid, number)
            return int(held)
        time.sleep(0.02)
    raise AssertionError(f"the run ended before {rows} samples were written: {process.communicate()}")


def run(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    """What a command writes in this process: to standard output, or to standard error where it fails."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert stop.value.code == status, found.err
    return found.err if status else found.out
