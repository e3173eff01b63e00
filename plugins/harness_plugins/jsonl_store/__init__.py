"""The results database as a folder of JSON lines: `jsonl:///results` (here) or `jsonl:////data/results` (anywhere).

Nothing that was written is changed: each transaction is one line, which is appended. Each process that writes has a
file of its own in the folder, and readers merge the files: every line has a number, which orders the lines of all
files. The file `lock` is held while a line is written or lines are read, so the folder must be on a file system with
`flock`.

To answer questions, an open store keeps an index of all lines: a SQLite file in the temporary folder, which is removed
when the store is closed. It has the tables and views of the store `sql`, so the same code reads and writes them.

- `lines`: the files, their lines, and the lock;
- `changes`: what a transaction changed in the index, and a line's changes done to an index;
- `database`: the index, kept up to date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from harness import hookimpl
from harness.errors import StoreError
from harness.store import Store
from harness_plugins.sql_store import SqlStore

__all__ = ["JsonlStore", "harness_stores"]


class JsonlStore(SqlStore):
    """Results as JSON lines, in files to which processes only append."""

    name: ClassVar[str] = "jsonl"
    summary: ClassVar[str] = "folder of JSON lines, one file for each process that writes"
    schemes: ClassVar[tuple[str, ...]] = ("jsonl",)

    def open(self, write: bool = True) -> None:
        from harness_plugins.jsonl_store.database import JsonlDatabase

        self.close()
        self._opened = JsonlDatabase(_folder_of(self.url), write)

    def why_not_writable(self) -> str | None:
        from harness_plugins.jsonl_store.lines import why_not_writable

        try:
            return why_not_writable(_folder_of(self.url))
        except StoreError as error:
            return str(error)

    def select(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self._database.reading():  # reads what was written since
            pass
        return super().select(sql)


def _folder_of(url: str) -> Path:
    """Return the folder of a URL.

    Raises:
        StoreError: the URL names none.
    """
    rest = url.partition("://")[2]
    name = rest.removeprefix("/").partition("?")[0]
    if not rest.startswith("/") or not name:
        raise StoreError(f"{url!r} names no folder: jsonl:///results (here) or jsonl:////data/results (anywhere).")
    return Path(name).expanduser()


@hookimpl
def harness_stores() -> Iterator[type[Store]]:
    """Register the store of JSON lines."""
    yield JsonlStore
