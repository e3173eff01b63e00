"""Progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.cli.progress.lines import PlainLines

__all__ = ["PATIENCE", "TrainingBar", "TrainingLines"]

PATIENCE = 30.0
"""The maximum time without a line, in seconds. After it a line is written even without new losses."""


def _words(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('loss_')} {value:.3f}" for name, value in losses.items())


class TrainingLines(PlainLines):
    """Progress of a training as lines of text: the losses at times, and the iteration if no losses come for long.

    Args:
        console: the console to write to.
        patience: the maximum time without a line, in seconds.
    """

    def __init__(self, console: Console, patience: float = PATIENCE) -> None:
        super().__init__(console)
        self._patience = patience
        self._begin = self._done = self._end = 0
        self._since = time.monotonic()
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
            self.write(f"continued after iteration {begin} of {end}")

    def stepped(self, iteration: int) -> None:
        self._done = iteration

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        if self.is_due() or iteration >= self._end:
            self.write(f"{self._progress()}: {_words(losses)}")

    def warning(self, text: str) -> None:
        self.write(f"warning: {text}")

    def _progress(self) -> str:
        speed = (self._done - self._begin) / max(time.monotonic() - self._since, 1e-9)
        if not speed:
            return f"iteration {self._done} of {self._end}"
        pace = f"{speed:.2f}/s" if speed >= 0.1 else f"{1 / speed:.0f} s each"
        return f"iteration {self._done} of {self._end}, {pace}, {(self._end - self._done) / speed:.0f} s left"

    def _watch(self) -> None:
        """Write the progress when no line was written for `patience` seconds, to show that the training still runs."""
        while not self._over.wait(self._patience / 10):
            if self.silent_for() >= self._patience:
                self.write(self._progress() if self._end else "preparing")


class TrainingBar:
    """Progress of a training as one bar, with the losses beside it."""

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
