"""Progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Bar", "Lines"]

_LINE_SECONDS = 10.0


def _words(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('loss_')} {value:.3f}" for name, value in losses.items())


class Lines:
    """A line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = self._end = 0
        self._since = self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def started(self, begin: int, end: int) -> None:
        self._begin, self._end = begin, end
        self._since = time.monotonic()
        if begin:
            self._print(f"continued after iteration {begin} of {end}")

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS and iteration < self._end:
            return
        self._last = now
        speed = (iteration - self._begin) / max(now - self._since, 1e-9)
        left = (self._end - iteration) / speed
        self._print(f"iteration {iteration} of {self._end}, {speed:.2f}/s, {left:.0f} s left: {_words(losses)}")

    def warning(self, text: str) -> None:
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
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

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        self._progress.update(self._task, completed=iteration, losses=_words(losses))

    def warning(self, text: str) -> None:
        self._progress.console.print(f"warning: {text}", highlight=False, markup=False, soft_wrap=True)
