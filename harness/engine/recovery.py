"""What retraining won back: the comparisons of retrained experiments with pretrained and clean-trained ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records import Comparison
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates
from harness.statistics.ratios import Difference, difference, ratio_interval
from harness.store import Filters

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.store import Store
    from harness.task import Task

__all__ = ["Quartet", "lacking", "recoveries", "unrecovered"]

KINDS = ("gain", "recovery", "study_gain")


@dataclass(frozen=True)
class Quartet:
    """The experiments that say what one retraining won back at one codec and level: their keys.

    Args:
        baseline: pretrained, uncompressed.
        pretrained: pretrained, at the level.
        retrained: retrained, at the level.
        clean: trained as long on uncompressed data, at the level; None where that was not done.
    """

    baseline: str
    pretrained: str
    retrained: str
    clean: str | None


def unrecovered(store: Store, experiments: Sequence[Experiment]) -> bool:
    """Whether something is finished that tells what retraining won back in a plan's experiments, and not compared yet.

    A run that was killed between the two leaves that.
    """
    return next(lacking(store, experiments), None) is not None


def lacking(store: Store, experiments: Sequence[Experiment]) -> Iterator[Quartet]:
    """The quartets of a plan's pretrained experiments that are finished and not compared yet.

    Args:
        store: opened.
        experiments: of the plan.
    """
    baselines = {e.key: e.baseline for e in experiments if e.baseline and e.training.kind == "pretrained"}
    columns, rows = store.view("recovery", Filters({"experiment": sorted(baselines)})) if baselines else ([], [])
    place = {name: columns.index(name) for name in columns}
    seen: set[tuple[str, str | None]] = set()
    for row in rows:
        retrained, clean = row[place["retrained_experiment"]], row[place["clean_experiment"]]
        if retrained is None or not row[place["is_primary"]] or (retrained, clean) in seen:
            continue
        seen.add((retrained, clean))
        pretrained = row[place["experiment"]]
        done = {(one.other, one.kind) for one in store.comparisons(retrained)}
        wanted = {(pretrained, kind) for kind in KINDS} | ({(clean, "net_recovery")} if clean else set())
        if not wanted <= done:
            yield Quartet(baselines[pretrained], pretrained, retrained, clean)


def recoveries(
    quartet: Quartet, task: Task, drawn: Callable[[Sequence[str]], tuple[list[Replicates], int]]
) -> list[Comparison]:
    """Gain, recovery, net recovery and the study's gain of one retraining, for every metric.

    The study's gain is the gain over the retrained model's value where higher is better, and over the pretrained one's
    where lower is: where retraining helped, over the larger of the two.

    Args:
        quartet: the experiments.
        task: theirs.
        drawn: gives the replicates of some experiments on the samples that finished in all of them, and how many
            these are.
    """
    keys = [quartet.baseline, quartet.pretrained, quartet.retrained]
    (base, before, after), count = drawn(keys)
    found: list[Comparison] = []

    def add(kind: str, other: str, metric: str, interval: Estimate) -> None:
        values = (interval.value, interval.low, interval.high)
        found.append(Comparison(quartet.retrained, other, metric, kind, *values, count, interval.reason))

    for metric in task.all_metrics():
        up = metric.higher_is_better
        gain, loss = difference(after, before, metric.name, up), difference(base, before, metric.name, up)
        add("gain", quartet.pretrained, metric.name, _plain(gain))
        add("recovery", quartet.pretrained, metric.name, _share(gain, loss, "the pretrained model's drop"))
        larger = after if up else before
        add("study_gain", quartet.pretrained, metric.name, _share(gain, _itself(larger, metric.name), metric.name))
    if quartet.clean:
        (base, after, clean), count = drawn([quartet.baseline, quartet.retrained, quartet.clean])
        for metric in task.all_metrics():
            up = metric.higher_is_better
            gain, loss = difference(after, clean, metric.name, up), difference(base, clean, metric.name, up)
            add("net_recovery", quartet.clean, metric.name, _share(gain, loss, "the clean-trained model's drop"))
    return found


def _itself(found: Replicates, metric: str) -> Difference | None:
    """A metric's value, as a difference from 0."""
    if metric not in found.resampled:
        return None
    return Difference(found.values[metric], found.resampled[metric], found.groups)


_NONE = Estimate(None, None, None, "no interval is computed for this metric", 0)


def _plain(gain: Difference | None) -> Estimate:
    from harness.statistics.intervals import estimate_from_resamples

    return _NONE if gain is None else estimate_from_resamples(gain.value, gain.resampled, gain.groups)


def _share(part: Difference | None, whole: Difference | None, what: str) -> Estimate:
    return _NONE if part is None or whole is None else ratio_interval(part, whole, what)
