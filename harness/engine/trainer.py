"""Trains the weights that experiments need. Each training runs once, is recorded, and is reused by all experiments."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.engine import machine
from harness.errors import BusyError
from harness.model import Weights
from harness.records import Checkpoint

if TYPE_CHECKING:
    from harness.discovery.events import Events
    from harness.progress import Progress
    from harness.records import Status
    from harness.store import Store
    from harness.training.job import Job
    from harness.unit import Settings

__all__ = ["Trainer"]

POLL_SECONDS = 2.0


class Trainer:
    """Runs trainings, or finds the results of finished trainings.

    Args:
        store: the store that records the resulting checkpoints.
        settings: device, numbers of workers and threads.
        progress: receives progress and warnings.
        run: the run's id.
        events: calls the hooks of trainings; None to call none.
    """

    def __init__(
        self, store: Store, settings: Settings, progress: Progress, run: int, events: Events | None = None
    ) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.run = run
        self.events = events

    def weights(self, job: Job, label: str) -> Weights:
        """Run a training, or find its result, and return the weights.

        If another process runs the same training, wait until it ends.

        Args:
            job: the training.
            label: the training's name in progress messages.

        Raises:
            TrainingError: the training cannot start or continue, or a loss became infinite or NaN.
            WeightsError: the initial weights do not fit the network.
        """
        import torch

        from harness.training.job import place_of
        from harness.training.loop import Runtime, train

        machine.set_tf32(False)  # a training's precision is that of its recipe, whatever the run's
        if self.settings.device == "cpu":
            torch.set_num_threads(self.settings.training_threads)
        # Train a copy, so that the subject's model stays without a network: it is sent to worker processes.
        job = replace(job, model=copy.copy(job.model))
        place = place_of(job)
        watcher = _ProgressWatcher(self.progress, label, job.key(), self.events)
        runtime = Runtime(self.settings.device, 1, self.settings.workers)
        started = time.monotonic()
        while True:
            try:
                result = train(job, place, runtime, watcher)
                break
            except BusyError as busy:
                self.progress.status(f"waiting: {busy}")
                time.sleep(POLL_SECONDS)
            except Exception:
                watcher.ended("failed")
                raise
            except BaseException:
                watcher.ended("interrupted")
                raise
        self.progress.status("")
        key = job.key()
        known = self.store.checkpoints([key]).get(key)
        seconds = time.monotonic() - started if result.iterations == job.recipe.iterations else None
        if known is not None and known.sha256 != result.sha256:
            self.progress.warning(
                f"training {label} gave weights with SHA-256 {result.sha256}; {known.sha256} was recorded, with which "
                "finished experiments of this training were measured. It was made anew, on another machine or with "
                "other libraries. The new ones are recorded now; another --db measures all with them."
            )
        if known is None or known.sha256 != result.sha256:
            self.store.keep_checkpoint(
                Checkpoint(
                    key=key,
                    identity=job.facts(),
                    path=str(result.weights),
                    sha256=result.sha256,
                    bytes=result.weights.stat().st_size,
                    steps=job.recipe.iterations,
                    seconds=seconds,
                    loss_curve=result.curve.read_text("utf-8"),
                ),
                self.run,
            )
        watcher.ended("finished", str(result.weights))
        return Weights(result.weights.name, result.weights, result.sha256, job.dataset.classes)


class _ProgressWatcher:
    """Passes the progress of a training on to the run's progress."""

    def __init__(self, progress: Progress, label: str, key: str, events: Events | None) -> None:
        self._progress = progress
        self._label = label
        self._end = 0
        self._key = key
        self._events = events
        self._begun = False

    def started(self, begin: int, end: int) -> None:
        self._end = end
        self._begun = begin < end
        if self._events and self._begun:
            facts = {"key": self._key, "label": self._label}
            self._events.emit("harness_training_started", **facts, begin=begin, end=end)
        continued = f", going on from iteration {begin}" if begin else ""
        self._progress.status(f"training {self._label}: {end} iterations{continued}")

    def ended(self, status: Status, weights: str | None = None) -> None:
        """Call the hook, if the training began here."""
        if self._events and self._begun:
            facts = {"key": self._key, "label": self._label}
            self._events.emit("harness_training_finished", **facts, status=status, weights=weights)

    def stepped(self, iteration: int) -> None:
        """Single iterations are not reported."""

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        words = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        self._progress.status(f"training {self._label}: iteration {iteration} of {self._end}, {words}")

    def warning(self, text: str) -> None:
        self._progress.warning(text)
