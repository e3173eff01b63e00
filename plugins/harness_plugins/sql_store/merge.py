"""Merge results databases: SQLite files and PostgreSQL servers, into a SQLite file or into a server.

An experiment's key is the digest of everything that determines its result. So two experiments with equal keys are the
same experiment, wherever they ran. When both databases have it, a finished one is kept; if neither is finished, the one
with more samples; if both are finished, the target's. But a record that one database has as superseded (`again`) does
not come back from another one: there the record that superseded it is kept.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.keep.texts import without_passwords
from harness.records import Merged
from harness_plugins.sql_store.absorb import absorb, link_baselines
from harness_plugins.sql_store.check import damage_told
from harness_plugins.sql_store.copies import copy_file, version_of, without_journal, write_back
from harness_plugins.sql_store.location import check_file, file_of, file_url

if TYPE_CHECKING:
    from harness.records import RecordedRun
    from harness_plugins.sql_store import SqlStore

__all__ = ["merge_into"]

Join = Callable[["SqlStore"], None]


def merge_into(store: type[SqlStore], sources: Sequence[str], target: str, into: bool, join: Join) -> list[Merged]:
    """Merge databases into one.

    A file is written as a whole or not at all. On a server every source is taken in one transaction: what was taken
    before an error stays, and is found when the same merge is done again.

    Args:
        store: the class of the store.
        sources: the databases to merge, each a file or the URL of a server. None is changed.
        target: the file or the server's URL that gets the results.
        into: whether the target exists and keeps its experiments; otherwise it starts empty.
        join: is called with the merged store; of a file, before it replaces the target.

    Raises:
        StoreError: a database cannot be read, or another process wrote to the target file meanwhile. That file is then
            unchanged.
    """
    for origin in filter(None, map(file_of, sources)):
        check_file(origin, write=False)
    file = file_of(target)
    if file is not None:
        return _into_file(store, sources, file, into, join)
    with closing(store(target)) as result:
        result.open()
        return _merged(store, sources, result, join, tempfile.gettempdir(), "the folder for temporary files")


def _into_file(store: type[SqlStore], sources: Sequence[str], target: Path, into: bool, join: Join) -> list[Merged]:
    """Merge into a copy of the target, and put the copy in the target's place."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(str(target.absolute().parent), str(target)))
        whole = Path(folder) / "whole.db"
        watcher = None
        if into:
            with closing(store(str(target))) as existing:
                existing.open(write=False)  # raises for a file that is not a results database, without changing it
                existing.open()  # as a run does: switches to WAL mode, so that it can be read while it is written
            watcher = stack.enter_context(closing(sqlite3.connect(file_url(target, "rw"), uri=True)))
            before = version_of(watcher, target)
            copy_file(target, whole)
        with closing(store(str(whole))) as result:
            result.open()
            merged = _merged(store, sources, result, join, folder, str(target))
        without_journal(whole, target)
        if watcher is None:
            whole.replace(target)
        else:
            write_back(whole, target, watcher, before)
    return merged


def _merged(
    store: type[SqlStore], sources: Sequence[str], result: SqlStore, join: Join, folder: str, where: str
) -> list[Merged]:
    """Take the sources into an open store, and join what met there. Copies of files are made in the folder."""
    merged = []
    problems: dict[str, list[str]] = {}
    shards = _Shards()
    with damage_told(problems):
        for source in sources:
            with _folder(folder, where) as own, _readable(store, source, Path(own)) as part:
                problems[source] = _problems(part, source)
                shards.take(without_passwords(source), part.runs())
                with part._database.reading() as other, result._database.writing() as here:
                    merged.append(replace(absorb(here, other), problems=problems[source]))
        with result._database.writing() as connection:
            link_baselines(connection)
        join(result)
    return merged


class _Shards:
    """The shards of a plan among the sources: each may come once, and all must be of one plan."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._plan: tuple[str, str] | None = None

    def take(self, source: str, recorded: Sequence[RecordedRun]) -> None:
        """Note which shards the runs of a source computed.

        Raises:
            StoreError: another source has the same shard, or shards of another plan.
        """
        settings = [run.info.settings for run in recorded if run.info.settings.get("shard")]
        for shard in sorted({str(setting["shard"]) for setting in settings}):
            if shard in self._given:
                raise StoreError(f"shard {shard} is given twice: by {self._given[shard]} and by {source}.")
            self._given[shard] = source
        for plan in {str(setting.get("plan")) + " " + str(setting["shard"]).partition("/")[2] for setting in settings}:
            if self._plan is not None and self._plan[0] != plan:
                raise StoreError(
                    f"{self._plan[1]} and {source} are shards of different plans: the commands, the versions of the "
                    "harness or of its plugins and libraries, or the data differ. Run all parts alike."
                )
            self._plan = plan, source


@contextmanager
def _folder(parent: str, where: str) -> Iterator[str]:
    try:
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=".merge-")
    except OSError as error:
        raise StoreError(f"{where} cannot be written: {error.strerror}.") from error
    with folder as name:
        yield name


@contextmanager
def _readable(store: type[SqlStore], source: str, folder: Path) -> Iterator[SqlStore]:
    """Open a source with the newest schema: of a file a copy, which is upgraded. Messages name the original."""
    file = file_of(source)
    copy = folder / "part.db"
    if file is not None:
        copy_file(file, copy)
    with closing(store(source if file is None else str(copy))) as part:
        try:
            part.open(write=file is not None)
        except StoreError as error:
            raise StoreError(str(error).replace(str(copy), str(file))) from error
        yield part


def _problems(part: SqlStore, source: str) -> list[str]:
    """Return what is wrong with a source, the first of it."""
    opened = part._database.name
    return [problem.replace(opened, without_passwords(source)) for problem in islice(part.check(), 5)]
