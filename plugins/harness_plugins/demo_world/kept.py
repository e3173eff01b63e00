"""Arrays that were rendered once, kept as files without loss in the cache folder."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files.cache import cache_dir

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def kept(path: Path, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """The arrays of these names from the file `path` (relative to the cache folder), or newly made and kept there.

    A file that is damaged or lacks one is made anew. Where nothing can be written, nothing is kept.
    """
    import numpy as np

    whole = cache_dir() / "demo-world" / path
    try:
        with whole.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        made = make()
        arrays = {name: made[name] for name in names}
        _keep(whole, arrays)
        return arrays


def _keep(path: Path, arrays: Arrays) -> None:
    """Writes a file that is either whole or not there, whoever else writes it."""
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
