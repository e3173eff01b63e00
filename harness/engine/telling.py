"""Progress that calls the hooks of trainings, wherever they run, and hands everything on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.discovery.events import Events
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.records import MetricValue, Status, Totals

__all__ = ["Telling"]


class Telling:
    """A `Progress` for executors.

    Args:
        progress: receives every report.
        events: calls the hooks.
    """

    def __init__(self, progress: Progress, events: Events) -> None:
        self._progress = progress
        self._events = events

    def planned(self, experiments: Sequence[Experiment], found: Sequence[str]) -> None:
        self._progress.planned(experiments, found)

    def resumed(self, experiment: Experiment, samples: int) -> None:
        self._progress.resumed(experiment, samples)

    def advanced(self, key: str, samples: int, failed: int) -> None:
        self._progress.advanced(key, samples, failed)

    def training_started(self, key: str, label: str, begin: int, end: int) -> None:
        self._progress.training_started(key, label, begin, end)
        self._events.emit("harness_training_started", key=key, label=label, begin=begin, end=end)

    def training_ended(self, key: str, label: str, status: Status, weights: str | None) -> None:
        self._progress.training_ended(key, label, status, weights)
        self._events.emit("harness_training_finished", key=key, label=label, status=status, weights=weights)

    def finished(self, experiment: Experiment, totals: Totals, metrics: Sequence[MetricValue]) -> None:
        self._progress.finished(experiment, totals, metrics)

    def status(self, text: str) -> None:
        self._progress.status(text)

    def warning(self, text: str) -> None:
        self._progress.warning(text)
