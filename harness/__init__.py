"""How far can the images and video that feed a vision model be compressed before it gets worse?

The contracts for plugin authors are in `harness.codec`, `harness.dataset`, `harness.model`, `harness.task`,
`harness.store` and `harness.executor`; the hooks that provide them in `harness.hookspecs`.
"""

from importlib.metadata import PackageNotFoundError, version

import pluggy

__all__ = ["__version__", "hookimpl"]

hookimpl = pluggy.HookimplMarker("harness")
"""Marks a function of a plugin module as the implementation of a hook."""

try:
    __version__ = version("codec-harness")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+unknown"
