"""Merges the results databases of several machines into one, and computes the comparisons between their experiments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.device import machine
from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.errors import NoResultsError, UsageError
from harness.finish.complete import complete
from harness.finish.refresh import refresh
from harness.keep.texts import without_passwords
from harness.progress import OnlyWarnings
from harness.records import RunInfo

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.records import Merged

__all__ = ["merge_files"]


def merge_files(
    sources: Sequence[str], target: str, into: bool, resamples: int, warn: Callable[[str], None]
) -> list[Merged]:
    """Merge databases into one. A file is written completely or not at all; a server takes one source after the other.

    Args:
        sources: the databases to merge: files or URLs. They are not changed, and files can be of older versions.
        target: the file or the URL that gets the results.
        into: whether the target exists and the sources are added to it; otherwise the target is created.
        resamples: the number of resamples for drops and recoveries.
        warn: a function that gets each warning.

    Returns:
        for each source, what was merged.

    Raises:
        StoreError: one of the files is no results database.
        UsageError: a source does not exist or is the target itself, or the target's folder cannot be written to.
    """
    file = _file(target)
    if file is not None:
        folder = file.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(f"{target} cannot be written: {folder} is no folder that may be written into.")
    for source in sources:
        its_file = _file(source)
        if its_file is not None and not its_file.is_file():
            raise UsageError(f"{source}: there is no such file.")
        same = source == target if its_file is None or file is None else file.exists() and its_file.samefile(file)
        if same:
            raise UsageError(f"{without_passwords(source)} is the database that others are taken into.")
    plugins = installed()
    if into != _is_there(target, plugins):
        raise UsageError(_REFUSED[into].format(without_passwords(target)))
    store: Any = plugins.get("store", "sql")

    progress = OnlyWarnings(lambda text: warn(f"warning: {text}"))

    def join(store: Any) -> None:
        if partial := complete(store, plugins, progress, _provenance(sources, target), resamples):
            warn(f"{partial} experiments are partial: `harness results --failed` says what is missing.")
        refresh(store, plugins, progress, resamples)

    merged: list[Merged] = store.merge(sources, target, into, join)
    with closing(open_store(target, plugins, write=False)):
        return merged


def _provenance(sources: Sequence[str], target: str) -> RunInfo:
    command = without_passwords(" ".join(["harness results merge", *sources, "-o", target]))
    return RunInfo(command, machine.host(), "none", machine.library_versions(), machine.git_revision(), {})


_REFUSED = {
    True: "--output {}: there is no such database to take others into.",
    False: "--output {}: it is there already. Name another one, or add to it with --into.",
}


def _file(url: str) -> Path | None:
    """Return the file of a path or of a URL of SQLite; None for a server."""
    return None if "://" in url and not url.startswith("sqlite") else Path(url.removeprefix("sqlite:///")).expanduser()


def _is_there(url: str, plugins: Plugins) -> bool:
    file = _file(url)
    if file is not None:
        return file.exists()
    try:
        open_store(url, plugins, write=False).close()
    except NoResultsError:
        return False
    return True
