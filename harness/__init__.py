"""How far can the images and video that feed a vision model be compressed before it gets worse?

The base classes for plugin authors are in `harness.codec`, `harness.dataset`, `harness.model`, `harness.task`,
`harness.store` and `harness.executor`. The hooks by which a plugin provides its classes are in `harness.hookspecs`.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from os import PathLike

    from harness.results.frames import Views

__all__ = ["__version__", "hookimpl", "load"]

hookimpl = pluggy.HookimplMarker("harness")
"""Marks a function of a plugin module as the implementation of a hook."""


def load(database: "str | PathLike[str]" = "harness.db") -> "Views":
    """Return the results in a database as pandas data frames: `harness.load("harness.db").curves`.

    Args:
        database: the path of a SQLite file, or a URL.

    Raises:
        StoreError: there is no such database.
        HarnessError: pandas is not installed (the extra `frames`).
    """
    from harness.results.frames import Views

    return Views(str(database))


try:
    __version__ = version("codec-harness")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+unknown"
