"""The files of a folder: their lines, in the order in which they were written, and the lock that keeps this order.

The first line of a file says what it is. Each further one is a transaction: `{"n": 7, "changes": [...]}`, where `n`
goes up by one from line to line over all files. A process that is killed may leave a last line that is cut short: that
transaction did not happen, so the line is ignored, and `torn` tells of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import NoResultsError, StoreError
from harness.keep.processes import this_process
from harness_plugins.jsonl_store.changes import Change
from harness_plugins.sql_store.schema import REVISION

__all__ = ["Lines", "why_not_writable"]

_FORMAT = "codec-harness results"
_READABLE = ("0010", REVISION)
"""Schema versions whose lines fit the present tables: 0011 has one table more."""
_WAIT = 30.0
"""How long to wait for the lock, in seconds."""


class Lines:
    """The lines of a folder, as one process sees them.

    Args:
        folder: the folder. It is made if it is missing and `write` is true.
        write: whether lines are appended.

    Raises:
        NoResultsError: there is no such folder, or nothing was ever written to it.
        StoreError: the folder is none of results, or cannot be written.
    """

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder, self.write = folder, write
        if write and (reason := why_not_writable(folder)):
            raise StoreError(reason)
        if not write and not folder.is_dir():
            raise NoResultsError(f"there is no results database {folder}: no such folder of JSON lines.")
        if not write and not any(folder.glob("*.jsonl")):
            raise NoResultsError(f"the database {folder} holds no results: nothing was ever written to it.")
        if write:
            folder.mkdir(exist_ok=True)
        self.torn: Mapping[Path, int] = {}
        """File -> bytes of a last line that is cut short."""
        self.last = 0
        """The number of the last line that was read or appended."""
        self._places: dict[Path, int] = {}
        self._own: tuple[Path, int] | None = None

    def close(self) -> None:
        if self._own is not None:
            os.close(self._own[1])
            self._own = None

    @contextmanager
    def locked(self, exclusive: bool) -> Iterator[None]:
        """Hold the folder's lock: exclusive to append, shared to read.

        Raises:
            StoreError: another process has held it for too long.
        """
        path = self.folder / "lock"
        if not self.write and not path.exists():  # files that were copied; nobody appends
            yield
            return
        lock = os.open(path, os.O_RDWR | os.O_CREAT if self.write else os.O_RDONLY, 0o666)
        try:
            end = time.monotonic() + _WAIT
            while True:
                try:
                    fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise StoreError(
                            f"the results database {self.folder} is locked: waited {_WAIT:g} s for another process."
                        ) from None
                    time.sleep(0.005)
            yield
        finally:
            os.close(lock)

    def unread(self) -> list[list[Change]]:
        """Return the changes of each line that was written since, in order. The lock is held.

        Raises:
            StoreError: a file is damaged, of another version, or missing.
        """
        found: dict[int, list[Change]] = {}
        torn: dict[Path, int] = {}
        places = dict(self._places)
        for file in sorted(self.folder.glob("*.jsonl")):
            place = places.get(file, 0)
            with file.open("rb") as opened:
                opened.seek(place)
                data = opened.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                torn[file] = len(data) - whole
            lines = data[:whole].splitlines()
            if place == 0 and lines:
                self._check_header(file, lines.pop(0))
            for line in lines:
                number, changes = self._parsed(file, line)
                if number in found:
                    raise StoreError(
                        self._damaged(f"two lines have the number {number}: its files are of two databases")
                    )
                found[number] = changes
            places[file] = place + whole
        if found and sorted(found) != list(range(self.last + 1, self.last + 1 + len(found))):
            missing = min(set(range(self.last + 1, max(found))) - set(found), default=min(found))
            raise StoreError(self._damaged(f"line {missing} is missing or was written twice: a file of it is not here"))
        self._places, self.torn = places, torn
        self.last += len(found)
        return [found[number] for number in sorted(found)]

    def append(self, changes: list[Change]) -> None:
        """Append one line to this process's own file, and make it safe. The lock is held, and no line is unread.

        Raises:
            StoreError: it cannot be written; then nothing is.
        """
        text = json.dumps({"n": self.last + 1, "changes": changes}, allow_nan=False, separators=(",", ":"))
        try:
            file, number = self._own_file()
            size = os.fstat(number).st_size
            try:
                _write(number, text.encode() + b"\n")
                os.fsync(number)
            except BaseException:
                os.ftruncate(number, size)
                raise
        except OSError as error:
            raise StoreError(
                f"the results database {self.folder} could not be written: {error.strerror}. What was written before "
                "is kept; make room and run again."
            ) from error
        self._places[file] = size + len(text) + 1
        self.last += 1

    def _own_file(self) -> tuple[Path, int]:
        if self._own is None:
            began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            file = self.folder / f"{began}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            number = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
            self._own = (file, number)
            header = {"format": _FORMAT, "schema": REVISION, "process": this_process()}
            _write(number, json.dumps(header).encode() + b"\n")
        return self._own

    def _check_header(self, file: Path, line: bytes) -> None:
        try:
            header = json.loads(line)
            kind, schema = header["format"], header["schema"]
        except (ValueError, KeyError, TypeError):
            kind, schema = None, None
        if kind != _FORMAT:
            raise StoreError(f"{file} is no file of results: its first line says something else. Move it elsewhere.")
        if schema not in _READABLE:
            raise StoreError(
                f"{file} has schema version {schema}, this program reads {REVISION}. Read it with the codec-harness "
                "that wrote it, or give another with --db."
            )

    def _parsed(self, file: Path, line: bytes) -> tuple[int, list[Change]]:
        try:
            content: Any = json.loads(line)
            number, changes = content["n"], content["changes"]
            if isinstance(number, int) and isinstance(changes, list):
                return number, changes
        except (ValueError, KeyError, TypeError):
            pass
        raise StoreError(self._damaged(f"{file.name} has a line that is none of results: {line[:60]!r}"))

    def _damaged(self, what: str) -> str:
        return f"the results database {self.folder} is damaged: {what}. Restore it from a copy, or name another."


def why_not_writable(folder: Path) -> str | None:
    """Return why results cannot be written to a folder, in a sentence; None if nothing is known against it."""
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / "lock").exists() and not any(folder.glob("*.jsonl")):
            return f"the folder {folder} holds something else than results. Name a new folder."
        return None if os.access(folder, os.W_OK) else f"the folder {folder} is read-only. Make it writable."
    if folder.exists():
        return f"the results database {folder} is a file. Name a folder."
    if not folder.absolute().parent.is_dir():
        return f"the folder {folder.absolute().parent} does not exist. Make it, or name another."
    return None if os.access(folder.absolute().parent, os.W_OK) else f"{folder.absolute().parent} is read-only."


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
