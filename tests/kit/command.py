"""Runs the command line as a user does, in this process or in one of its own, with its own database and cache."""

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
from kit.in_process import in_process

__all__ = ["EACH_BATCH", "Session", "kill_after_rows", "run"]

EACH_BATCH = """
import time
import harness.engine.collecting
from harness_plugins.sql_store import SqlStore

harness.engine.collecting.CHUNK_SECONDS = 0
whole = SqlStore.write

def write(self, *arguments):
    whole(self, *arguments)
    time.sleep(0.2)

SqlStore.write = write
"""
"""Lets a command write every batch at once, not in chunks, and wait after each, so that it can be interrupted.

Without the wait a run of few samples may be over before a busy machine looks at what it wrote.
"""


class Session:
    """A working directory with a database, and the commands run in it.

    Args:
        folder: the working directory.
        cache: the cache folder, shared so that scenes are rendered once.
        path: a folder of plugins that the commands see as installed.
    """

    def __init__(self, folder: Path, cache: Path, path: Path | None = None) -> None:
        self.folder, self.path = folder, path
        self.database = folder / "harness.db"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")}
        self.env |= {"HARNESS_CACHE": str(cache), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments: str, status: int | None = 0, full: bool = False) -> subprocess.CompletedProcess[str]:
        """A finished command, carried out in this process, whose exit status is checked.

        Args:
            arguments: the words behind `harness`.
            status: the exit status; None for any.
            full: whether standard output leads to a full disk.
        """
        return _checked(in_process(arguments, self.folder, self.env, self.path, full), status)

    def run_process(
        self, *arguments: str, status: int | None = 0, before: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A finished command that had a process of its own: where a process, its start or its end is tested."""
        process = self.start(*arguments, before=before)
        out, err = process.communicate(timeout=900)
        return _checked(subprocess.CompletedProcess(process.args, process.returncode, out, err), status)

    def start(self, *arguments: str, before: str = "") -> subprocess.Popen[str]:
        """A running command, in a process group of its own.

        Args:
            arguments: the words behind `harness`.
            before: Python that the process carries out first, e.g. `EACH_BATCH`.
        """
        paths = [str(self.path)] if self.path else []
        paths += [inherited] if (inherited := self.env.get("PYTHONPATH")) else []
        return subprocess.Popen(
            [sys.executable, "-c", f"{before}\nfrom harness.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.env | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            # A test run in the background ignores such signals, and its children inherit that; a user's shell does not.
            preexec_fn=_heed_signals,
        )

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


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _checked(done: subprocess.CompletedProcess[str], status: int | None) -> subprocess.CompletedProcess[str]:
    if status is not None:
        assert done.returncode == status, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


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
