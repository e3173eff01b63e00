"""Computes what a database lacks of its finished experiments, from their stored statistics.

This is needed after a merge of two databases, for a database of an earlier version, and after a new version of a task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.errors import StoreError, UnknownNameError
from harness.experiment import canonical
from harness.finish.finisher import Finisher
from harness.finish.metrics import Calculator
from harness.planning.recorded_task import made_by, task_of
from harness.statistics.kept import metrics_to_keep, origin_of, outline_of, restored
from harness.store import Store

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.statistics.kept import Outline
    from harness.task import Task

__all__ = ["Kept", "by_task", "keep_resamples", "refresh"]


def refresh(
    store: Store, plugins: Plugins, progress: Progress, resamples: int = 1000, seed: int = 0, renew: bool = False
) -> int:
    """Compute missing comparisons (drops, recoveries) of finished experiments, and intervals of older methods anew.

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
    for task, experiments in by_task(store, plugins, progress):
        if renew:
            renewed += finisher.renew(task, experiments)
        finisher.compare(task, experiments)
        finisher.recover(task, experiments)
    return renewed


@dataclass
class Kept:
    """What `keep_resamples` found.

    Args:
        right: the number of experiments whose kept values were right already.
        made: the number of experiments whose values were computed.
    """

    right: int = 0
    made: int = 0


def keep_resamples(store: Store, plugins: Plugins, progress: Progress, resamples: int = 1000, seed: int = 0) -> Kept:
    """Keep the resampled metrics of all finished experiments (`harness.statistics.kept`).

    What is kept already is checked, and computed again if it is wrong, damaged, or has other resamples. Experiments
    are skipped as in `refresh`, and with a warning if their task raises an error.

    Args:
        store: the store, opened for writing.
        plugins: the installed plugins.
        progress: receives warnings.
        resamples: the number of resamples.
        seed: the seed of the resampling.
    """
    found, calculator = Kept(), Calculator(resamples, seed)
    if type(store).keep_resamples is Store.keep_resamples:
        progress.warning(f"the store {store.name} keeps no resampled metrics.")
        return found
    for task, experiments in by_task(store, plugins, progress):
        states = store.states([experiment.key for experiment in experiments])
        for experiment in experiments:
            key = experiment.key
            if key not in states or states[key].status != "finished":
                continue
            outline = outline_of(store.statistics(key))
            version = made_by(experiment.identity, plugins)
            facts = (experiment.identity, experiment.classes, version, resamples, seed)
            if _is_right(store, key, outline, origin_of(outline.digest, *facts)):
                found.right += 1
                continue
            try:
                samples = {sample.index: sample for sample in store.statistics(key)}
                names = metrics_to_keep(task, outline.size, resamples)
                draft = calculator.draft(task, calculator.resample(task, key, samples, only=names))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a task costs this experiment, and is told
                progress.warning(f"{experiment.label}: not resampled: {reason(f'task {task.name}', error)}")
                continue
            if draft is not None:
                store.keep_resamples(draft.of_experiment(key, *facts))
                found.made += 1
    return found


def _is_right(store: Store, key: str, outline: Outline, origin: str) -> bool:
    """Return whether what the store keeps of an experiment is what would be computed now."""
    kept = store.resamples(key)
    if kept is None:
        return False
    try:
        restored(kept, outline, origin)
    except StoreError:
        return False
    return True


def by_task(store: Store, plugins: Plugins, progress: Progress) -> Iterator[tuple[Task, list[Experiment]]]:
    """Yield the experiments that have the same task with the same classes, with this task."""
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
        yield task, experiments
