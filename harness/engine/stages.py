"""Sums up the time that the stages of each experiment take."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["StageSeconds"]


class StageSeconds:
    """The seconds of each stage of each experiment."""

    def __init__(self) -> None:
        self._seconds: dict[str, dict[str, float]] = {}

    def add(self, key: str, seconds: Mapping[str, float]) -> None:
        """Add the seconds of stages of an experiment."""
        sums = self._seconds.setdefault(key, {})
        for stage, duration in seconds.items():
            sums[stage] = sums.get(stage, 0.0) + duration

    def take(self, key: str) -> Mapping[str, float]:
        """Return the seconds of an experiment, and forget them."""
        return self._seconds.pop(key, {})

    def keys(self) -> set[str]:
        """The experiments that have seconds."""
        return set(self._seconds)
