"""Trains the weights that experiments need. Each training runs once, is recorded, and is reused by all experiments."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.device import machine
from harness.errors import BusyError
from harness.model import Weights
from harness.records import Checkpoint

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import Status
    from harness.store import Store
    from harness.training.job import Job
    from harness.unit import Settings

__all__ = ["Trainer", "train_job"]

POLL_SECONDS = 2.0


class Trainer:
    """Runs trainings, or finds the results of finished trainings.

    Args:
        store: the store that records the resulting checkpoints.
        settings: device, numbers of workers and threads.
        progress: receives progress and warnings.
        run: the run's id.
    """

    def __init__(self, store: Store, settings: Settings, progress: Progress, run: int) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.run = run

    def weights(self, job: Job, label: str) -> Weights:
        """Run a training here, or find its result, record it, and return the weights.

        Args:
            job: the training.
            label: the training's name in progress messages.

        Raises:
            TrainingError: the training cannot start or continue, or a loss became infinite or NaN.
            WeightsError: the initial weights do not fit the network.
        """
        return self.keep(job, label, train_job(job, label, self.settings, self.progress))

    def keep(self, job: Job, label: str, trained: Checkpoint) -> Weights:
        """Record what a training gave, unless that is known, and return the weights.

        Args:
            job: the training.
            label: the training's name in progress messages.
            trained: what it gave, wherever it ran.
        """
        known = self.store.checkpoints([trained.key]).get(trained.key)
        if known is not None and known.sha256 != trained.sha256:
            self.progress.warning(
                f"training {label} gave weights with SHA-256 {trained.sha256}; {known.sha256} was recorded, with which "
                "finished experiments of this training were measured. It was made anew, on another machine or with "
                "other libraries. The new ones are recorded now; another --db measures all with them."
            )
        if known is None or known.sha256 != trained.sha256:
            self.store.keep_checkpoint(trained, self.run)
        path = Path(trained.path)
        return Weights(path.name, path, trained.sha256, job.dataset.classes)


def train_job(job: Job, label: str, settings: Settings, progress: Progress) -> Checkpoint:
    """Run a training, or find its result. It touches no database, so it can be called in any process.

    If another process runs the same training, wait until it ends.

    Args:
        job: the training.
        label: the training's name in progress messages.
        settings: device, numbers of workers and threads.
        progress: receives progress and warnings.

    Returns:
        the record of the weights, which lie in the cache folder.

    Raises:
        TrainingError: the training cannot start or continue, or a loss became infinite or NaN.
        WeightsError: the initial weights do not fit the network.
    """
    import torch

    from harness.training.job import place_of
    from harness.training.loop import Runtime, train

    machine.set_tf32(False)  # a training's precision is that of its recipe, whatever the run's
    if settings.device == "cpu":
        torch.set_num_threads(settings.training_threads)
    # Train a copy, so that the subject's model stays without a network: it is sent to worker processes.
    job = replace(job, model=copy.copy(job.model))
    place = place_of(job)
    watcher = _ProgressWatcher(progress, label, job.key())
    runtime = Runtime(settings.device, 1, settings.workers)
    started = time.monotonic()
    while True:
        try:
            result = train(job, place, runtime, watcher)
            break
        except BusyError as busy:
            progress.status(f"waiting: {busy}")
            time.sleep(POLL_SECONDS)
        except Exception:
            watcher.ended("failed")
            raise
        except BaseException:
            watcher.ended("interrupted")
            raise
    watcher.ended("finished", str(result.weights))
    progress.status("")
    seconds = time.monotonic() - started if result.iterations == job.recipe.iterations else None
    return Checkpoint(
        key=job.key(),
        identity=job.facts(),
        path=str(result.weights),
        sha256=result.sha256,
        bytes=result.weights.stat().st_size,
        steps=job.recipe.iterations,
        seconds=seconds,
        loss_curve=result.curve.read_text("utf-8"),
    )


class _ProgressWatcher:
    """Passes the progress of a training on to the run's progress."""

    def __init__(self, progress: Progress, label: str, key: str) -> None:
        self._progress = progress
        self._label = label
        self._key = key
        self._end = 0
        self._begun = False

    def started(self, begin: int, end: int) -> None:
        self._end = end
        self._begun = begin < end
        if self._begun:
            self._progress.training_started(self._key, self._label, begin, end)
        continued = f", going on from iteration {begin}" if begin else ""
        self._progress.status(f"training {self._label}: {end} iterations{continued}")

    def ended(self, status: Status, weights: str | None = None) -> None:
        """Say how the training ended, if it began here."""
        if self._begun:
            self._progress.training_ended(self._key, self._label, status, weights)

    def stepped(self, iteration: int) -> None:
        """Single iterations are not reported."""

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        words = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        self._progress.status(f"training {self._label}: iteration {iteration} of {self._end}, {words}")

    def warning(self, text: str) -> None:
        self._progress.warning(text)
