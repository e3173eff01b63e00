"""Results of several machines as one database: files joined by the store, then what follows from their meeting."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.engine.refresh import refresh
from harness.errors import UsageError
from harness.progress import Silence

if TYPE_CHECKING:
    from harness.records import Merged

__all__ = ["merge_files"]


class _Told(Silence):
    """A progress of which only warnings are heard."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def warning(self, text: str) -> None:
        self._told(f"warning: {text}")


def merge_files(
    sources: Sequence[Path], target: Path, into: bool, resamples: int, told: Callable[[str], None]
) -> list[Merged]:
    """Join databases into one file, which is there whole or not at all.

    Args:
        sources: SQLite files; they are not changed, and may be of older versions.
        target: the file.
        into: whether it is there, and takes them in; else it is made.
        resamples: from how many drops and recoveries are computed.
        told: takes warnings.

    Returns:
        what came of each source.

    Raises:
        StoreError: one of the files is no results database.
        UsageError: one of the files is missing or the target itself, or there is no folder to write into.
    """
    folder = target.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{target} cannot be written: {folder} is no folder that may be written into.")
    for source in sources:
        if not source.is_file():
            raise UsageError(f"{source}: there is no such file.")
        if target.exists() and source.samefile(target):
            raise UsageError(f"{source} is the database that others are taken into.")
    plugins = installed()
    store: Any = plugins.get("store", "sql")

    def join(store: Any) -> None:
        refresh(store, plugins, _Told(told), resamples)

    found: list[Merged] = store.merge(sources, target, into, join)
    with closing(open_store(str(target), plugins, write=False)):
        return found
