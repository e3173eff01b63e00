"""How a promise is broken, held, or left out."""

from __future__ import annotations

import unittest
from typing import NoReturn

__all__ = ["BrokenPromiseError", "broken", "promise", "skip"]


class BrokenPromiseError(AssertionError):
    """A plugin does not keep a promise of its contract; the message says what was found, and what to do."""


def broken(sentence: str) -> NoReturn:
    """Say that a promise is broken.

    Args:
        sentence: what was found, and what to do.

    Raises:
        BrokenPromiseError: always.
    """
    raise BrokenPromiseError(sentence)


def promise(kept: object, sentence: str) -> None:
    """Hold a promise to be kept.

    Args:
        kept: whether it is.
        sentence: what was found otherwise, and what to do.

    Raises:
        BrokenPromiseError: it is not.
    """
    if not kept:
        broken(sentence)


def skip(reason: str) -> NoReturn:
    """Leave a promise out, because it cannot be tried here. pytest shows it as skipped, with the reason."""
    raise unittest.SkipTest(reason)
