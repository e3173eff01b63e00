"""Lines of progress where there is no terminal: one now and then, whatever is at work."""

from __future__ import annotations

import time

from rich.console import Console

__all__ = ["LINE_SECONDS", "PlainLines"]

LINE_SECONDS = 10.0
"""Seconds between two lines of progress, at least."""


class PlainLines:
    """Writes plain lines, and knows when the last one was written.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = time.monotonic()

    def write(self, text: str) -> None:
        """Write a line; names in it are no markup, and long ones are not broken."""
        self.last = time.monotonic()
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def silent_for(self) -> float:
        """Seconds since the last line."""
        return time.monotonic() - self.last

    def is_due(self) -> bool:
        """Whether the last line was written long enough ago for another one."""
        return self.silent_for() >= LINE_SECONDS
