"""Progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["PATIENCE", "Bar", "Lines"]

_LINE_SECONDS = 10.0
PATIENCE = 30.0
"""Seconds without a line after which one is written, whatever there is to say."""


def _words(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('loss_')} {value:.3f}" for name, value in losses.items())


class Lines:
    """A line now and then: of the losses as they come, and of what is done when they are long in coming."""

    def __init__(self, console: Console, patience: float = PATIENCE) -> None:
        self._console = console
        self._patience = patience
        self._begin = self._done = self._end = 0
        self._since = self._last = time.monotonic()
        self._over = Event()
        self._clock = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._clock.join()

    def started(self, begin: int, end: int) -> None:
        self._begin, self._done, self._end = begin, begin, end
        self._since = time.monotonic()
        if begin:
            self._print(f"continued after iteration {begin} of {end}")

    def stepped(self, iteration: int) -> None:
        self._done = iteration

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        if time.monotonic() - self._last >= _LINE_SECONDS or iteration >= self._end:
            self._print(f"{self._progress()}: {_words(losses)}")

    def warning(self, text: str) -> None:
        self._print(f"warning: {text}")

    def _progress(self) -> str:
        speed = (self._done - self._begin) / max(time.monotonic() - self._since, 1e-9)
        if not speed:
            return f"iteration {self._done} of {self._end}"
        pace = f"{speed:.2f}/s" if speed >= 0.1 else f"{1 / speed:.0f} s each"
        return f"iteration {self._done} of {self._end}, {pace}, {(self._end - self._done) / speed:.0f} s left"

    def _watch(self) -> None:
        """Nobody shall wonder whether it still works."""
        while not self._over.wait(self._patience / 10):
            if time.monotonic() - self._last >= self._patience:
                self._print(self._progress() if self._end else "preparing")

    def _print(self, text: str) -> None:
        self._last = time.monotonic()
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Bar:
    """One bar, with the losses beside it."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[losses]}"), console=console)
        self._task = self._progress.add_task("training", total=None, losses="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def started(self, begin: int, end: int) -> None:
        self._progress.update(self._task, total=end, completed=begin)

    def stepped(self, iteration: int) -> None:
        self._progress.update(self._task, completed=iteration)

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        self._progress.update(self._task, losses=_words(losses))

    def warning(self, text: str) -> None:
        self._progress.console.print(f"warning: {text}", highlight=False, markup=False, soft_wrap=True)
