"""How often Python looks for cycles of objects that nothing refers to. A command makes many objects that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collected_rarely"]

_COLLECT_AFTER = 50_000
"""After how many new objects Python looks for them, in place of its own 700.

Results are many small objects without cycles: looking for them took a fifth of the time with 20,000 experiments. It
also takes a fifth of the time in which torch and torchvision are imported."""


@contextmanager
def collected_rarely() -> Iterator[None]:
    """A context in which cycles are looked for rarely: while results are read, or libraries are imported."""
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
