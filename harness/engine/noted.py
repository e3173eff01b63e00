"""What a run notes of experiments beside results: the seconds of stages, and where rows were computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.records import Placed

if TYPE_CHECKING:
    from harness.engine.outcome import Outcome, Worked
    from harness.store import Store

__all__ = ["Noted", "StageSeconds"]


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


class Noted:
    """What was noted of experiments and is not stored yet.

    Args:
        store: the store, opened for writing.
        run: the run's id.
        workers: the number of worker processes.
        outcome: gets the places of the whole run.

    Attributes:
        seconds: the seconds of stages.
    """

    def __init__(self, store: Store, run: int, workers: int, outcome: Outcome) -> None:
        self._store = store
        self._run = run
        self._workers = workers
        self._outcome = outcome
        self._places: dict[str, dict[Worked, int]] = {}
        self.seconds = StageSeconds()

    def worked(self, where: Worked, keys: Iterable[str]) -> None:
        """Note where rows were computed; `keys` has the key of the experiment of each row."""
        for key in keys:
            self._outcome.worked(where, key)
            places = self._places.setdefault(key, {})
            places[where] = places.get(where, 0) + 1

    def store(self, key: str) -> None:
        """Store what was noted of an experiment, and forget it."""
        if seconds := self.seconds.take(key):
            self._store.add_stages(key, self._run, {**seconds, "workers": float(self._workers)})
        if places := self._places.pop(key, None):
            self._store.add_places(
                [Placed(key, self._run, where.place, where.device, rows) for where, rows in places.items()]
            )

    def store_all(self) -> None:
        """Store what was noted of all experiments, and forget it."""
        for key in sorted(self.seconds.keys() | self._places.keys()):
            self.store(key)
