"""Compares retrained models with pretrained models and with models retrained on uncompressed data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.records import Comparison
from harness.statistics.drops import paired_interval
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates
from harness.statistics.ratios import Difference, difference, ratio_interval

if TYPE_CHECKING:
    from harness.finish.found import Quartet
    from harness.task import Task

__all__ = ["recoveries"]


def recoveries(
    quartet: Quartet, task: Task, drawn: Callable[[Sequence[str]], tuple[list[Replicates], int]]
) -> list[Comparison]:
    """Compute gain, recovery, net recovery and the study's gain of one retraining, for every metric.

    - gain: how much better the retrained model is than the pretrained model at the level;
    - recovery: the gain divided by the pretrained model's drop (from the baseline to the level);
    - net recovery: the same ratio with the clean-trained model in place of the pretrained model;
    - the study's gain: the gain divided by the retrained model's value if higher is better, and by the pretrained
      model's value if lower is better. If retraining helped, this is the larger of the two values.

    Args:
        quartet: the keys of the experiments.
        task: the task of the experiments.
        drawn: returns, for the keys of some experiments, their replicates on the samples that failed in none of them,
            and the number of these samples.
    """
    keys = [quartet.baseline, quartet.pretrained, quartet.retrained]
    (base, before, after), count = drawn(keys)
    comparisons: list[Comparison] = []

    def add(kind: str, other: str, metric: str, interval: Estimate) -> None:
        values = (interval.value, interval.low, interval.high)
        comparisons.append(Comparison(quartet.retrained, other, metric, kind, *values, count, interval.reason))

    for metric in task.all_metrics():
        up = metric.higher_is_better
        gain, loss = difference(after, before, metric.name, up), difference(base, before, metric.name, up)
        plain = _NONE if gain is None else paired_interval(before, after, metric.name, up)
        add("gain", quartet.pretrained, metric.name, plain)
        add("recovery", quartet.pretrained, metric.name, _share(gain, loss, "the pretrained model's drop"))
        larger = after if up else before
        add("study_gain", quartet.pretrained, metric.name, _share(gain, _from_zero(larger, metric.name), metric.name))
    if quartet.clean:
        (base, after, clean), count = drawn([quartet.baseline, quartet.retrained, quartet.clean])
        for metric in task.all_metrics():
            up = metric.higher_is_better
            gain, loss = difference(after, clean, metric.name, up), difference(base, clean, metric.name, up)
            add("net_recovery", quartet.clean, metric.name, _share(gain, loss, "the clean-trained model's drop"))
    return comparisons


def _from_zero(found: Replicates, metric: str) -> Difference | None:
    """Return a metric's value as a difference from 0; None if the metric has no resamples."""
    if metric not in found.resampled:
        return None
    return Difference(found.values[metric], found.resampled[metric], found.groups)


_NONE = Estimate(None, None, None, "no interval is computed for this metric", 0)


def _share(part: Difference | None, whole: Difference | None, what: str) -> Estimate:
    return _NONE if part is None or whole is None else ratio_interval(part, whole, what)
