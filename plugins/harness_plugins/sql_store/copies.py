"""Whole SQLite files: copied while others may write to them, and written back in one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from harness.errors import StoreError
from harness_plugins.sql_store.location import file_url

__all__ = ["copy_file", "version_of", "without_journal", "write_back"]


def copy_file(source: Path, target: Path) -> None:
    """Make a consistent copy of a database, even if another process is writing to it."""
    try:
        with (
            closing(sqlite3.connect(file_url(source, "ro"), uri=True)) as origin,
            closing(sqlite3.connect(target)) as destination,
        ):
            origin.backup(destination)
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be read: {error}.") from error


def version_of(watcher: sqlite3.Connection, target: Path) -> int:
    """Return a number that changes when another connection writes to the file."""
    try:
        return int(watcher.execute("PRAGMA data_version").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{target} cannot be read: {error}.") from error


def without_journal(path: Path, target: Path) -> None:
    """Bring all that is in the journal of a file into the file itself, so that it can be moved.

    Raises:
        StoreError: the file cannot be written; the message names the target.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"{target} cannot be written: {error}.") from error


def write_back(whole: Path, target: Path, watcher: sqlite3.Connection, before: int) -> None:
    """Write the merged database into the target file in one transaction, unless another process wrote to the target.

    The file is not replaced: a process that has the old file open would then write to a deleted file. The first backup
    step locks out other writers, so the check after that step sees every earlier write.
    """

    def check(status: int, left: int, total: int) -> None:
        if status != sqlite3.SQLITE_DONE and version_of(watcher, target) != before:
            message = f"{target} was written to meanwhile, and is left as it is. Merge again when no run uses it."
            raise StoreError(message)

    try:
        with closing(sqlite3.connect(whole)) as merged, closing(sqlite3.connect(target)) as destination:
            pages = int(merged.execute("PRAGMA page_count").fetchone()[0])
            merged.backup(destination, pages=max(1, pages - 1), progress=check)
    except sqlite3.Error as error:
        raise StoreError(f"{target} cannot be written: {error}.") from error
