"""SHA-256 digests of files, with a cache so that an unchanged file is hashed only once.

The cache (`files.sqlite` in the cache folder) stores a digest under the file's path, device, inode, size, mtime (last
change of the content) and ctime (last change of the metadata), both in nanoseconds. A program cannot set the ctime, so
the cache also detects a file that was replaced by another one of equal size and equal mtime. A file that was changed
within the last two seconds is always hashed again: another change could leave its times unchanged, because the clocks
of file systems have a resolution of milliseconds to seconds. Each row has a digest of itself, without which it is not
believed, and the file is hashed again. If the cache cannot be read or written, every file is hashed; a cache that is
damaged is deleted, and begun anew by the next command.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.files.cache import cache_dir
from harness.files.remade import note_damage

__all__ = ["digest_files", "sha256_file"]

_SETTLED_NS = 2_000_000_000
_Facts = tuple[bytes, int, int, int, int, int]


def sha256_file(path: Path) -> str:
    """Return the SHA-256 (hex, 64 digits) of a file's content.

    Raises:
        OSError: the file cannot be read.
    """
    with _DigestCache() as cache:
        return cache.digest(path)


def digest_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 (hex) over the names and contents of files, in the given order.

    Of a file's path only the name is used, not the folder, so that a dataset keeps its digest when it is moved.

    Raises:
        OSError: a file cannot be read.
    """
    combined = hashlib.sha256()
    with _DigestCache() as cache:
        for path in paths:
            combined.update(_bytes(path.name) + f"\0{cache.digest(path)}\n".encode())
    return combined.hexdigest()


_WHAT = "digests of files"


class _DigestCache:
    """The cache of digests. New digests are written to it in transactions of up to 1,000."""

    def __init__(self) -> None:
        self._unwritten: list[tuple[bytes | str | int, ...]] = []
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> _DigestCache:
        path = cache_dir() / "files.sqlite"
        try:
            self._database = _open(path)
        except (sqlite3.Error, UnicodeError) as error:
            if _is_damage(error):
                note_damage(path, _WHAT, path)
                _delete(path)
        except OSError:
            self._database = None  # the folder cannot be made: every file is hashed
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        if self._database is not None:
            self._database.close()

    def digest(self, path: Path) -> str:
        facts = _facts(path)
        if self._database is None or not _settled(facts):
            return _hash(path)
        if (known := self._known(facts)) is not None:
            return known
        digest = _hash(path)
        if _facts(path) == facts:
            self._unwritten.append((*facts, digest, _seal(facts, digest)))
            if len(self._unwritten) >= 1000:
                self._write()
        return digest

    def _known(self, facts: _Facts) -> str | None:
        """Return the cached digest of a file; None if there is none, or if its row is damaged."""
        assert self._database is not None
        query = (
            "select sha256, seal from digests where path=? and device=? and inode=? and size=? and mtime=? and ctime=?"
        )
        try:
            row = self._database.execute(query, facts).fetchone()
        except (sqlite3.Error, UnicodeError) as error:
            self._give_up(error)
            return None
        if row and row[1] != _seal(facts, row[0]):
            path = cache_dir() / "files.sqlite"
            note_damage(path, _WHAT, path)
            return None
        return str(row[0]) if row else None

    def _write(self) -> None:
        if self._database is not None and self._unwritten:
            try:
                with self._database:
                    self._database.executemany(
                        "insert or replace into digests values (?, ?, ?, ?, ?, ?, ?, ?)", self._unwritten
                    )
            except (sqlite3.Error, UnicodeError) as error:
                self._give_up(error)
        self._unwritten = []

    def _give_up(self, error: Exception) -> None:
        """Delete the cache if it is damaged. One that is locked, full or read-only stays."""
        if not _is_damage(error):
            return
        assert self._database is not None
        self._database.close()
        self._database = None
        path = cache_dir() / "files.sqlite"
        note_damage(path, _WHAT, path)
        _delete(path)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=20)
    try:
        with connection:
            connection.execute(
                "create table if not exists digests (path blob primary key, device integer, inode integer, "
                "size integer, mtime integer, ctime integer, sha256 text not null, seal blob not null)"
            )
            connection.execute("drop table if exists files")  # of earlier versions, whose rows have no seal
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_damage(error: Exception) -> bool:
    """Return whether an error of SQLite says that the file is damaged, no database, or has other tables."""
    words = ("malformed", "not a database", "no such", "has no column", "already exists", "syntax error", "incomplete")
    return isinstance(error, UnicodeError) or any(word in str(error) for word in words)


def _delete(path: Path) -> None:
    for name in (path.name, f"{path.name}-journal"):
        with suppress(OSError):
            path.with_name(name).unlink()


def _seal(facts: _Facts, digest: str) -> bytes:
    return hashlib.sha256(repr((facts, digest)).encode()).digest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path) -> _Facts:
    status = path.stat()
    # Windows gives inodes of 64 unsigned bits; SQLite's integers are signed.
    inode, device = (number - (1 << 64) if number >= 1 << 63 else number for number in (status.st_ino, status.st_dev))
    return _bytes(str(path.absolute())), device, inode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _bytes(name: str) -> bytes:
    """Return a file name as UTF-8 bytes. Bytes that are not valid UTF-8 (file systems allow them) stay unchanged."""
    return name.encode("utf-8", "surrogateescape")


def _settled(facts: _Facts) -> bool:
    """Return whether the file's last change is long enough ago for its digest to be cached."""
    return max(facts[4], facts[5]) < time.time_ns() - _SETTLED_NS
