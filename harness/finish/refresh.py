"""Computes what a database lacks: comparisons after a merge of two databases, and intervals by the present method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UnknownNameError
from harness.experiment import canonical
from harness.finish.finisher import Finisher
from harness.planning.recorded_task import task_of

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.store import Store

__all__ = ["refresh"]


def refresh(
    store: Store, plugins: Plugins, progress: Progress, resamples: int = 1000, seed: int = 0, renew: bool = False
) -> int:
    """Compute the missing comparisons of finished experiments from their stored statistics.

    Experiments are skipped with a warning if no installed plugin provides their task, or if the store does not know
    their classes.

    Args:
        store: the store, opened for writing.
        plugins: the installed plugins.
        progress: receives warnings.
        resamples: the number of resamples for the intervals.
        seed: the seed of the resampling.
        renew: whether to compute the metrics and comparisons again whose intervals were computed by an older method.

    Returns:
        the number of experiments whose metrics were computed again.
    """
    finisher = Finisher(store, progress, plugins, 0, resamples, seed)
    renewed = 0
    groups: dict[str, list[Experiment]] = {}
    for experiment in store.experiments():
        shared = {name: experiment.identity.get(name) for name in ("task", "reference")} | {
            "classes": experiment.classes
        }
        groups.setdefault(canonical(shared), []).append(experiment)
    for experiments in groups.values():
        first = experiments[0]
        try:
            task = task_of(first.identity, first.classes, plugins)
            if not first.classes and "classes" in task_of(first.identity, ("any",), plugins).breakdowns():
                why = "the database does not have the names of their classes"
                progress.warning(f"{len(experiments)} experiments of task {first.task} are not compared: {why}.")
                continue
        except UnknownNameError as error:
            progress.warning(f"{len(experiments)} experiments of task {first.task} are not compared: {error}")
            continue
        if renew:
            renewed += finisher.renew(task, experiments)
        finisher.compare(task, experiments)
        finisher.recover(task, experiments)
    return renewed
