"""A cache of rendered arrays: lossless files in the cache folder."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import cache_dir

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def kept(path: Path, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """Return the named arrays from the file `path` (relative to the cache folder); if that fails, call `make` and store
    them.

    The arrays are made again if the file is damaged or lacks one of them. If the file cannot be written, the arrays are
    returned without being stored.
    """
    import numpy as np

    cached = cache_dir() / "demo-world" / path
    try:
        with cached.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        made = make()
        arrays = {name: made[name] for name in names}
        _keep(cached, arrays)
        return arrays


def _keep(path: Path, arrays: Arrays) -> None:
    """Write a file atomically: another process sees either the complete file or none."""
    import numpy as np

    part = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


__all__ = ["kept"]
