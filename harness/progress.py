"""What the engine tells of its progress to whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.experiment import Experiment
from harness.records import MetricValue, Totals

__all__ = ["Progress", "Silence"]


class Progress(Protocol):
    """Takes progress. The command line draws it; a library user may ignore it."""

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None:
        """The experiments of the run, and the keys of those that the database already has."""

    def resumed(self, experiment: Experiment, samples: int) -> None:
        """So many samples of an experiment were kept from an earlier run."""

    def advanced(self, key: str, samples: int, failed: int) -> None:
        """So many more samples of an experiment are done, so many of them failed."""

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None:
        """An experiment is in the database."""

    def status(self, text: str) -> None:
        """What the engine is busy with."""

    def warning(self, text: str) -> None:
        """Something the user should know."""


class Silence:
    """Progress that nobody watches."""

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None: ...

    def resumed(self, experiment: Experiment, samples: int) -> None: ...

    def advanced(self, key: str, samples: int, failed: int) -> None: ...

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None: ...

    def status(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...
