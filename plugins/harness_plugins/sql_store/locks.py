"""Find out who holds the lock of a SQLite file.

The source is the kernel's list of locks, where it exists. Otherwise it is the list of running runs in the database.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from harness.keep.processes import describe, is_gone
from harness_plugins.sql_store.location import file_url

__all__ = ["who_holds"]

_WAL_WRITE_LOCK = 120
"""Offset of the byte in the `-shm` file that a writer locks (SQLite's WAL-mode file format, section 2.3.1)."""


def who_holds(file: Path) -> str:
    """Describe the processes or runs that hold the file's lock, as text for an error message. Never raises."""
    holders = _from_kernel(file) or _from_runs(file)
    return " and ".join(holders) if holders else "another process"


def _from_kernel(file: Path) -> list[str]:
    """Describe the processes that hold a write lock on the file, or on the writer's byte of its `-shm` file."""
    try:
        locks = Path("/proc/locks").read_text().splitlines()
        inodes = {path.stat().st_ino: path == file for path in _files(file)}
    except OSError:
        return []
    pids = []
    for line in locks:
        fields = line.split()  # for example: 1: POSIX ADVISORY WRITE 4711 fe:00:12345 120 120
        if len(fields) < 8 or fields[3] != "WRITE":
            continue
        inode = int(fields[5].rpartition(":")[2])
        if inode in inodes and (inodes[inode] or int(fields[6]) <= _WAL_WRITE_LOCK):
            pids.append(int(fields[4]))
    return [f"process {pid}{_command(pid)}" for pid in dict.fromkeys(pids)]


def _files(file: Path) -> list[Path]:
    return [path for path in (file, file.with_name(file.name + "-shm")) if path.exists()]


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return f" ({' '.join(words).strip()[:80]})"


def _from_runs(file: Path) -> list[str]:
    """Describe the runs that are recorded as running and whose process may be alive. Empty if the file cannot be
    read."""
    try:
        with closing(sqlite3.connect(file_url(file, "ro"), uri=True, timeout=1)) as connection:
            rows = connection.execute("SELECT id, process FROM runs WHERE status = 'running'").fetchall()
    except sqlite3.Error:
        return []
    return [f"run {run} ({describe(process)})" for run, process in rows if not is_gone(process)]
