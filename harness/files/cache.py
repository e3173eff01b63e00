"""The cache folder. It holds data that can be computed again: digests of files, rendered scenes, trainings."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return the cache folder: the environment variable `HARNESS_CACHE`, or else the system's cache folder of the user.

    The folder may not exist yet. Users may delete anything in it at any time; the harness then computes it again.
    """
    if configured := os.environ.get("HARNESS_CACHE"):
        return Path(configured).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("codec-harness", appauthor=False))
