"""Merges the results databases of several machines into one, and computes the comparisons between their experiments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.errors import UsageError
from harness.finish.refresh import refresh
from harness.progress import OnlyWarnings

if TYPE_CHECKING:
    from harness.records import Merged

__all__ = ["merge_files"]


def merge_files(
    sources: Sequence[Path], target: Path, into: bool, resamples: int, warn: Callable[[str], None]
) -> list[Merged]:
    """Merge databases into one file. The file is written completely or not at all.

    Args:
        sources: the SQLite files to merge. They are not changed, and can be of older versions.
        target: the file that gets the results.
        into: whether the target exists and the sources are added to it; otherwise the target is created.
        resamples: the number of resamples for drops and recoveries.
        warn: a function that gets each warning.

    Returns:
        for each source, what was merged.

    Raises:
        StoreError: one of the files is no results database.
        UsageError: a source does not exist or is the target itself, or the target's folder cannot be written to.
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

    def compute_comparisons(store: Any) -> None:
        refresh(store, plugins, OnlyWarnings(warn), resamples)

    merged: list[Merged] = store.merge(sources, target, into, compute_comparisons)
    with closing(open_store(str(target), plugins, write=False)):
        return merged
