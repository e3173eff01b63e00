"""What follows from experiments that meet for the first time, as after a merge: drops and recoveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engine.finish import Finisher
from harness.errors import UnknownNameError
from harness.experiment import canonical
from harness.statistics.recorded_task import task_of

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.store import Store

__all__ = ["refresh"]


def refresh(store: Store, plugins: Plugins, progress: Progress, resamples: int = 1000, seed: int = 0) -> None:
    """Compute the comparisons of finished experiments that the store does not have, from their stored statistics.

    Experiments of a task that no installed plugin has, or of classes that the store does not know, are left as they
    are, and named.

    Args:
        store: opened for writing.
        plugins: of this environment.
        progress: takes warnings.
        resamples: from how many the intervals are computed.
        seed: of the resamples.
    """
    finisher = Finisher(store, progress, plugins, 0, resamples, seed)
    groups: dict[str, list[Experiment]] = {}
    for experiment in store.experiments():
        alike = {name: experiment.identity.get(name) for name in ("task", "reference")} | {
            "classes": experiment.classes
        }
        groups.setdefault(canonical(alike), []).append(experiment)
    for experiments in groups.values():
        first = experiments[0]
        try:
            task = task_of(first.identity, first.classes, plugins)
            if not first.classes and "classes" in task_of(first.identity, ("any",), plugins).breakdowns():
                told = "the database does not have the names of their classes"
                progress.warning(f"{len(experiments)} experiments of task {first.task} are not compared: {told}.")
                continue
        except UnknownNameError as error:
            progress.warning(f"{len(experiments)} experiments of task {first.task} are not compared: {error}")
            continue
        finisher.compare(task, experiments)
        finisher.recover(task, experiments)
