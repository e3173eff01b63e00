"""Where the harness keeps what can be made again: digests of files, rendered scenes, trainings."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The cache folder: the environment's `HARNESS_CACHE`, or the user's cache folder of this system.

    It may not exist yet. Everything in it can be deleted at any time; it is then made again.
    """
    if asked := os.environ.get("HARNESS_CACHE"):
        return Path(asked).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("codec-harness", appauthor=False))
