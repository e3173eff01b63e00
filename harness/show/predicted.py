"""Gathers the predictions that runs kept of an experiment, and lets the experiment's task write them to a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.keep.predictions import kept_frames
from harness.planning.recorded_task import task_of
from harness.statistics.agreement import Agreement

if TYPE_CHECKING:
    from pathlib import Path

    from harness.dataset import KeptFrame
    from harness.discovery.plugins import Plugins
    from harness.store import Store
    from harness.task import Task

__all__ = ["predictions_of", "recorded_task", "write_predictions"]


def predictions_of(store: Store, key: str) -> Iterator[KeptFrame]:
    """Yield the predictions of an experiment, in the order of the dataset.

    Raises:
        HarnessError: those of some samples were not kept.
    """
    indices = [row.index for row in store.rows(key) if row.status == "ok"]
    missing = 0
    for index in indices:
        frames = kept_frames(key, index)
        missing += frames is None
        if not missing:
            yield from frames or ()
    if missing:
        raise HarnessError(
            f"experiment {key[:12]}: the predictions of {missing} of its {len(indices)} samples were not kept, or were "
            "deleted from the cache folder. `harness run ... --keep predictions` keeps them; add --again to the "
            "command of a run that is finished."
        )


def recorded_task(store: Store, key: str, plugins: Plugins) -> Task:
    """Return the task of a recorded experiment, which writes its predictions.

    Raises:
        HarnessError: no installed plugin has the task, its classes are not recorded, or it writes no predictions.
    """
    classes = store.classes([key])
    if key not in classes:
        raise HarnessError(f"experiment {key[:12]}: the names of its classes are not in the database.")
    task = task_of(store.identities([key])[key], classes[key], plugins)
    plain = task.task if isinstance(task, Agreement) else task
    if not plain.predictions_as:
        raise HarnessError(f"task {plain.name} writes no predictions (its plugin lacks `predictions_as`).")
    return plain


def write_predictions(store: Store, key: str, task: Task, target: Path) -> int:
    """Write the predictions of an experiment; return their number.

    Args:
        store: the open store.
        key: the experiment's key.
        task: its task (`recorded_task`).
        target: the file, or the folder for a task that writes one.

    Raises:
        HarnessError: those of some samples were not kept.
        OSError: the file cannot be written.
    """
    count = 0

    def counted() -> Iterator[KeptFrame]:
        nonlocal count
        for frame in predictions_of(store, key):
            count += 1
            yield frame

    task.write_predictions(counted(), target)
    return count
