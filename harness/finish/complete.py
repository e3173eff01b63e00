"""Finishes experiments whose samples have come from several shards of a plan, and says what is missing of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.errors import StoreError
from harness.finish.finisher import Finisher
from harness.finish.refresh import by_task
from harness.keep.processes import this_process
from harness.records import Claim

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.records import RecordedRun, RunInfo
    from harness.store import Store
    from harness.task import Task

__all__ = ["complete"]


def complete(
    store: Store, plugins: Plugins, progress: Progress, info: RunInfo, resamples: int = 1000, seed: int = 0
) -> int:
    """Finish the partial experiments of a database that have all their samples; the others are told what they lack.

    Args:
        store: the store, opened for writing.
        plugins: the installed plugins.
        progress: receives warnings.
        info: the provenance of this command. A run is recorded only if there is a partial experiment.
        resamples: the number of resamples for the intervals.
        seed: the seed of the resampling.

    Returns:
        the number of experiments that are still partial.
    """
    keys = [experiment.key for experiment in store.experiments()]
    states = store.states(keys)
    partial = {key for key, state in states.items() if state.status == "partial"}
    if not partial:
        return 0
    recorded = store.runs()
    claim = Claim(this_process(), store.begin_run(info))
    allowed = max((int(run.info.settings.get("max_failures", 0)) for run in recorded), default=0)
    finisher = Finisher(store, progress, plugins, claim.run, resamples, seed)
    try:
        for task, experiments in by_task(store, plugins, progress):
            for experiment in experiments:
                if experiment.key in partial and _claimed(store, experiment, claim, progress):
                    count = states[experiment.key].samples
                    if count < experiment.samples:
                        text = f"{count} of {experiment.samples} samples; {_what_is_missing(recorded)}"
                        store.release([experiment.key], claim, "partial", text)
                    elif _finish(finisher, task, experiment, claim, allowed):
                        partial.discard(experiment.key)
    finally:
        store.end_run(claim.run, "finished")
    return len(partial)


def _claimed(store: Store, experiment: Experiment, claim: Claim, progress: Progress) -> bool:
    try:
        return bool(store.claim([experiment.key], claim))
    except StoreError as error:
        progress.warning(f"{experiment.label}: it stays partial: {error}")
        return False


def _finish(finisher: Finisher, task: Task, experiment: Experiment, claim: Claim, allowed: int) -> bool:
    try:
        failed = finisher.finish_stored(task, experiment, claim, allowed)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - an error of a task costs this experiment, and is recorded and told
        failed = reason(f"task {task.name}", error)
        finisher.store.release([experiment.key], claim, "failed", failed)
    if failed:
        finisher.progress.warning(f"{experiment.label}: {failed}")
    return True


def _what_is_missing(recorded: Sequence[RecordedRun]) -> str:
    """Return a text that names the shards that are not there, or that were interrupted."""
    there: dict[int, dict[int, bool]] = {}
    for run in recorded:
        number, separator, of = str(run.info.settings.get("shard", "")).partition("/")
        if separator and number.isdecimal() and of.isdecimal():
            shards = there.setdefault(int(of), {})
            shards[int(number)] = shards.get(int(number), False) or run.status == "finished"
    missing = [f"{number}/{of}" for of, shards in there.items() for number in range(1, of + 1) if number not in shards]
    if missing:
        return f"missing: {'shard' if len(missing) == 1 else 'shards'} {', '.join(missing)}"
    cut = [f"{number}/{of}" for of, shards in there.items() for number, ended in sorted(shards.items()) if not ended]
    return f"interrupted, to be run again: {', '.join(cut)}" if cut else "the others are in other databases"
