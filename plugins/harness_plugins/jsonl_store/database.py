"""The index of a folder of JSON lines: a SQLite file that is made of the lines, and kept up to date."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from harness.errors import StoreError
from harness_plugins.jsonl_store import changes
from harness_plugins.jsonl_store.lines import Lines
from harness_plugins.sql_store.database import Database

__all__ = ["JsonlDatabase"]


class JsonlDatabase(Database):
    """An open folder of JSON lines.

    Args:
        folder: the folder.
        write: whether it may be made and written.
    """

    def __init__(self, folder: Path, write: bool) -> None:
        self._lines: Lines | None = None
        lines = Lines(folder, write)
        self._folder = tempfile.TemporaryDirectory(prefix="harness-jsonl-", ignore_cleanup_errors=True)
        self._thread = threading.RLock()
        self._inside = False
        self._index: sqlite3.Connection | None = None
        index = Path(self._folder.name) / "index.db"
        try:
            super().__init__(str(index), write=True)
            self.name = str(folder)
            self._index = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
            self._index.execute("PRAGMA synchronous = OFF")
            self._lines = lines
            with self.reading():
                pass
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._index is not None:
            self._index.close()
            self._index = None
        super().close()
        self._folder.cleanup()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a read transaction, which sees what all processes have written until now."""
        if self._lines is not None:
            with self._thread:
                if not self._inside:
                    with self._lines.locked(exclusive=False):
                        self._refresh(self._lines)
        with super().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a write transaction. No other process can write during it; at its end it becomes a line."""
        if self._lines is None:
            with super().writing() as connection:
                yield connection
            return
        if not self._lines.write:
            raise StoreError(f"the results database {self.name} was opened to read only.")
        with self._thread, self._lines.locked(exclusive=True):
            self._refresh(self._lines)
            self._inside = True
            try:
                with super().writing() as connection:
                    changes.watch(connection)
                    yield connection
                    assert self._index is not None
                    if changed := changes.collected(connection, self._index):
                        self._lines.append(changed)
            finally:
                self._inside = False

    def check(self) -> Iterator[str]:
        yield from super().check()
        for file, count in (self._lines.torn if self._lines is not None else {}).items():
            yield (
                f"{file} ends with a line that is cut short ({count} bytes), because its process was ended. "
                "The line is ignored; what it was to record counts as not done"
            )

    def _refresh(self, lines: Lines) -> None:
        """Bring the index up to date. The lock is held."""
        assert self._index is not None
        unread = lines.unread()
        if not unread:
            return
        self._index.execute("BEGIN IMMEDIATE")
        try:
            for line in unread:
                changes.apply(self._index, line)
            self._index.execute("COMMIT")
        except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
            self._index.execute("ROLLBACK")
            raise StoreError(
                f"the results database {self.name} is damaged: a line does not fit those before it ({error}). Restore "
                "it from a copy, or name another."
            ) from error
