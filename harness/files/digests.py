"""SHA-256 of files, each file hashed once.

A digest is kept in the cache folder (`files.sqlite`) under everything that the file system says of the file: path,
device, inode, size, and the times of its last change in nanoseconds. The time of the last change of status (ctime)
cannot be set by a program, so a file that was replaced by one of equal size and equal mtime is still noticed. A file
changed within the last two seconds is hashed anew, because a second change could leave its times as they are (clocks
of file systems tick in milliseconds to seconds). A memo that cannot be read or written is done without.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.files.cache import cache_dir

__all__ = ["digest_files", "sha256_file"]

_SETTLED_NS = 2_000_000_000
_Facts = tuple[bytes, int, int, int, int, int]


def sha256_file(path: Path) -> str:
    """SHA-256 (hex, 64 digits) of a file's content.

    Raises:
        OSError: the file cannot be read.
    """
    with _Memo() as memo:
        return memo.digest(path)


def digest_files(paths: Iterable[Path]) -> str:
    """SHA-256 (hex) over the names and contents of files, in the order given.

    Only each file's own name goes in, not its folder: a dataset that was moved keeps its digest.

    Raises:
        OSError: a file cannot be read.
    """
    whole = hashlib.sha256()
    with _Memo() as memo:
        for path in paths:
            whole.update(_bytes(path.name) + f"\0{memo.digest(path)}\n".encode())
    return whole.hexdigest()


class _Memo:
    """Digests by what the file system says of a file. New ones are written in transactions of up to 1,000."""

    def __init__(self) -> None:
        self._new: list[tuple[bytes | str | int, ...]] = []
        self._known: sqlite3.Connection | None = None

    def __enter__(self) -> _Memo:
        with suppress(OSError, sqlite3.Error):
            self._known = _open(cache_dir() / "files.sqlite")
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        if self._known is not None:
            self._known.close()

    def digest(self, path: Path) -> str:
        facts = _facts(path)
        if self._known is None or not _settled(facts):
            return _hash(path)
        with suppress(sqlite3.Error):
            asked = "select sha256 from files where path=? and device=? and inode=? and size=? and mtime=? and ctime=?"
            if row := self._known.execute(asked, facts).fetchone():
                return str(row[0])
        digest = _hash(path)
        if _facts(path) == facts:
            self._new.append((*facts, digest))
            if len(self._new) >= 1000:
                self._write()
        return digest

    def _write(self) -> None:
        if self._known is not None and self._new:
            with suppress(sqlite3.Error), self._known:
                self._known.executemany("insert or replace into files values (?, ?, ?, ?, ?, ?, ?)", self._new)
        self._new = []


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    memo = sqlite3.connect(path, timeout=20)
    try:
        with memo:
            memo.execute(
                "create table if not exists files (path blob primary key, device integer, inode integer, "
                "size integer, mtime integer, ctime integer, sha256 text not null)"
            )
    except sqlite3.Error:
        memo.close()
        raise
    return memo


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path) -> _Facts:
    found = path.stat()
    # Windows gives inodes of 64 unsigned bits; SQLite's integers are signed.
    inode, device = (number - (1 << 64) if number >= 1 << 63 else number for number in (found.st_ino, found.st_dev))
    return _bytes(str(path.absolute())), device, inode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _bytes(name: str) -> bytes:
    """A name as UTF-8; bytes that are none (file systems allow them) as they are."""
    return name.encode("utf-8", "surrogateescape")


def _settled(facts: _Facts) -> bool:
    return max(facts[4], facts[5]) < time.time_ns() - _SETTLED_NS
