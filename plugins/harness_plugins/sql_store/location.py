"""The location of a database: parse its URL, and check a SQLite file before it is opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from harness.errors import NoResultsError, StoreError

__all__ = ["check_file", "file_of", "file_url", "tidy"]


def file_of(url: str) -> Path | None:
    """Return the file of `sqlite:///results.db`, `sqlite:////absolute/results.db` or a plain path; None for a server.

    Raises:
        StoreError: a SQLite URL without a file name.

    >>> file_of("sqlite:///results.db")
    PosixPath('results.db')
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url).expanduser()
    if scheme.split("+")[0] != "sqlite":
        return None
    name = rest.removeprefix("/").partition("?")[0]
    if not rest.startswith("/") or not name or name == ":memory:":
        raise StoreError(
            f"{url!r} names no file: results are kept in one, as in sqlite:///results.db (here) or "
            "sqlite:////data/results.db (anywhere)."
        )
    return Path(name).expanduser()


def file_url(path: Path, mode: str) -> str:
    """Return the URI of a SQLite file for `sqlite3.connect(..., uri=True)`.

    A file is opened as immutable if its folder is not writable and it has no journal. Otherwise SQLite would have to
    create files beside it, and could not.
    """
    url = f"file:///{quote(str(path.absolute()).lstrip('/'))}?mode={mode}"
    if mode == "ro" and not os.access(path.parent, os.W_OK) and not _journal(path).exists():
        url += "&immutable=1"
    return url


def check_file(path: Path, write: bool) -> None:
    """Check a SQLite file before it is opened, and raise a clear error where SQLite would only give an error code.

    The file itself is not opened: closing it again would release the locks that this process holds on it.

    Raises:
        StoreError: the file or its folder does not exist, the file is empty or a folder, or it is not writable.
    """
    if path.is_dir():
        raise StoreError(f"the results database {path} is a folder. Name a file.")
    if not path.exists():
        if not write:
            raise NoResultsError(f"there is no results database {path} yet: `harness run` makes one, or name another.")
        if not path.parent.is_dir():
            raise StoreError(f"the results database {path} cannot be made: there is no folder {path.parent}.")
    elif not write and path.stat().st_size == 0 and not _journal(path).exists():
        raise NoResultsError(f"the results database {path} is empty: nothing was ever written to it.")
    if write:
        _check_writable(path)


def tidy(path: Path) -> None:
    """Remove the empty `-wal` and `-shm` files that a reader leaves beside a database.

    SQLite removes them when the last connection that may write is closed. So this function opens and closes such a
    connection. Nothing else changes.
    """
    journal = _journal(path)
    may_write = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if may_write and journal.exists() and journal.stat().st_size == 0:
        url = file_url(path, "rw")
        with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(url, uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _check_writable(file: Path) -> None:
    for path, role in ((file, "results database"), (file.parent, "folder of the results database")):
        if path.exists() and not os.access(path, os.W_OK):
            raise StoreError(f"the {role} {path} is read-only. Make it writable, or name another file.")


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
