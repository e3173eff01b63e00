"""What the database already has of a plan, and what it lacks. It needs no NumPy, so a run that finds all is fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.store import Filters

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.records import State
    from harness.store import Store

__all__ = ["Quartet", "altered_told", "missing_recoveries", "too_many_failures", "unrecovered"]

KINDS = ("gain", "recovery", "study_gain")


@dataclass(frozen=True)
class Quartet:
    """The keys of the experiments that measure the effect of one retraining at one codec and level.

    Args:
        baseline: the pretrained model on uncompressed data.
        pretrained: the pretrained model at the level.
        retrained: the retrained model at the level.
        clean: the model retrained on uncompressed data with the same number of iterations, at the level; None if there
            is no such experiment.
    """

    baseline: str
    pretrained: str
    retrained: str
    clean: str | None


def altered_told(store: Store, experiments: Iterable[Experiment], progress: Progress) -> dict[str, str]:
    """Return why some experiments are not continued: what the store has of them was altered. It is told.

    Nothing of them is written, so that what was altered can still be seen.
    """
    labels = {experiment.key: experiment.label for experiment in experiments}
    altered = store.altered(list(labels))
    for key, why in altered.items():
        progress.warning(f"{labels[key]}: {why}")
    return altered


def unrecovered(store: Store, experiments: Sequence[Experiment]) -> bool:
    """Return whether finished experiments of a plan lack a comparison of a retrained model.

    This happens if a run was killed after it finished the experiments and before it compared them.
    """
    return next(missing_recoveries(store, experiments), None) is not None


def missing_recoveries(store: Store, experiments: Sequence[Experiment]) -> Iterator[Quartet]:
    """Yield the quartets of a plan whose experiments are finished but lack a comparison.

    Args:
        store: the opened store.
        experiments: the experiments of the plan.
    """
    baselines = {e.key: e.baseline for e in experiments if e.baseline and e.training.kind == "pretrained"}
    if not baselines:
        return
    columns = ("experiment", "retrained_experiment", "clean_experiment")
    primary = Filters({"experiment": sorted(baselines), "is_primary": [True]})
    seen: set[tuple[str, str | None]] = set()
    # All rows before the first quartet: what is made of it is written into the store.
    for pretrained, retrained, clean in list(store.read("recovery", columns, primary)):
        if retrained is None or (retrained, clean) in seen:
            continue
        seen.add((retrained, clean))
        done = {(comparison.other, comparison.kind) for comparison in store.comparisons(retrained)}
        required = {(pretrained, kind) for kind in KINDS} | ({(clean, "net_recovery")} if clean else set())
        if not required <= done:
            yield Quartet(baselines[pretrained], pretrained, retrained, clean)


def too_many_failures(states: Mapping[str, State], allowed: int) -> dict[str, str]:
    """Return the finished experiments that have more failed samples than are allowed now: key -> reason.

    Such experiments were finished by a run that allowed more failures.
    """
    return {
        key: f"{state.failed} of {state.samples} samples failed (allowed: {allowed})"
        for key, state in states.items()
        if state.status == "finished" and state.failed > allowed
    }
