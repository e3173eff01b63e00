"""Progress as plain lines of text, for output that is not a terminal. A line is written every few seconds."""

from __future__ import annotations

import time

from rich.console import Console

__all__ = ["LINE_SECONDS", "PlainLines"]

LINE_SECONDS = 10.0
"""The minimum time between two lines of progress, in seconds."""


class PlainLines:
    """Writes plain lines to a console, and stores when the last line was written.

    Args:
        console: the console to write to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = time.monotonic()

    def write(self, text: str) -> None:
        """Write a line as it is: without markup, and without line breaks in long lines."""
        self.last = time.monotonic()
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def silent_for(self) -> float:
        """Seconds since the last line."""
        return time.monotonic() - self.last

    def is_due(self) -> bool:
        """Whether at least `LINE_SECONDS` have passed since the last line."""
        return self.silent_for() >= LINE_SECONDS
