"""Which files Python opens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["opened_files"]

_lists: list[list[str]] = []
_hooked = False


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """List the paths that Python opens (libraries that open files by themselves are not seen)."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_note)  # a hook cannot be removed; it does nothing while no list is asked for
        _hooked = True
    found: list[str] = []
    _lists.append(found)
    try:
        yield found
    finally:
        _lists.remove(found)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _lists and event == "open" and isinstance(arguments[0], str):
        for found in _lists:
            found.append(arguments[0])
