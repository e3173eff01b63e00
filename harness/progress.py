"""The interface through which the engine reports its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from harness.experiment import Experiment
from harness.records import MetricValue, Status, Totals

__all__ = ["OnlyWarnings", "Progress", "Silence"]


class Progress(Protocol):
    """Receives progress reports. The command line displays them; a library user may ignore them (`Silence`)."""

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None:
        """The run was planned.

        Args:
            experiments: all experiments of the run.
            found: the keys of the experiments that the database already has.
        """

    def resumed(self, experiment: Experiment, samples: int) -> None:
        """An experiment continues: `samples` of its samples are already in the database, from an earlier run."""

    def advanced(self, key: str, samples: int, failed: int) -> None:
        """`samples` more samples of the experiment `key` are done; `failed` of them failed."""

    def training_started(self, key: str, label: str, begin: int, end: int) -> None:
        """A training begins or goes on, from iteration `begin` to `end`."""

    def training_ended(self, key: str, label: str, status: Status, weights: str | None) -> None:
        """A training that had started has ended; `weights` is the path of what it gave."""

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None:
        """An experiment is finished, and its results are in the database."""

    def status(self, text: str) -> None:
        """The engine started another activity, described by `text`; "" means that the activity has ended."""

    def warning(self, text: str) -> None:
        """A warning for the user."""


class Silence:
    """A `Progress` that ignores every report."""

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None: ...

    def resumed(self, experiment: Experiment, samples: int) -> None: ...

    def advanced(self, key: str, samples: int, failed: int) -> None: ...

    def training_started(self, key: str, label: str, begin: int, end: int) -> None: ...

    def training_ended(self, key: str, label: str, status: Status, weights: str | None) -> None: ...

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None: ...

    def status(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...


class OnlyWarnings(Silence):
    """A `Progress` that reports warnings alone.

    Args:
        show: is called with each warning.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def warning(self, text: str) -> None:
        self._show(text)
