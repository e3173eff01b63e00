"""Averages experiments that differ only in the seed of their training, and computes by how much the seeds differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from harness.results.cells import MeasuredMetric
from harness.statistics.estimate import UNKNOWN, Estimate

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["average_over_seeds", "mean_or_none", "seeds_margin"]


def average_over_seeds(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Replace the experiments of each training that has several seeds by their average, at the first one's position.

    Values, drops, and the ends of their intervals over samples are averaged. The margins show the variation between
    the seeds. Only finished experiments are averaged. The seed of an average is a text: "0, 1, 2".
    """
    groups: dict[tuple[object, ...], list[ResultCell]] = {}
    for cell in cells:
        facts = cell.facts
        is_averaged = facts["status"] == "finished" and facts.get("series") is not None
        key = (facts["cell"], facts["series"]) if is_averaged else (facts["experiment"],)
        groups.setdefault(key, []).append(cell)
    return [_average(group) if len(group) > 1 else group[0] for group in groups.values()]


def _average(cells: Sequence[ResultCell]) -> ResultCell:
    first = cells[0]
    seeds = ", ".join(str(seed) for seed in sorted(cell.facts["seed"] for cell in cells))
    names = dict.fromkeys(name for cell in cells for name in cell.metrics)
    metrics = {name: _mean([cell.metrics.get(name) for cell in cells]) for name in names}
    return replace(first, facts={**first.facts, "seed": seeds}, metrics=metrics, seeds=len(cells))


def _mean(measured: Sequence[MeasuredMetric | None]) -> MeasuredMetric:
    """Return the mean of one metric over the seeds; undefined if the experiment of a seed lacks the metric.

    (An experiment lacks a metric that was added to the task after the experiment had finished.)
    """
    first = next(seed for seed in measured if seed is not None)
    undefined = MeasuredMetric(UNKNOWN, first.is_primary, first.higher_is_better)
    seeds = [seed or undefined for seed in measured]
    return replace(
        first,
        metric=_mean_estimate([seed.metric for seed in seeds]),
        margin=seeds_margin([seed.metric.value for seed in seeds]),
        drop=_mean_estimate([seed.drop for seed in seeds]),
        drop_margin=seeds_margin([seed.drop.value for seed in seeds]),
    )


def _mean_estimate(seeds: Sequence[Estimate]) -> Estimate:
    """Return the mean of the values, and the means of both ends of the intervals."""
    return Estimate(
        mean_or_none([seed.value for seed in seeds]),
        mean_or_none([seed.low for seed in seeds]),
        mean_or_none([seed.high for seed in seeds]),
    )


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values of all seeds; None if a seed has no value."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def seeds_margin(values: Sequence[float | None]) -> float | None:
    """Return half the width of Student's 95% interval of the mean over the seeds.

    The result is None for a single seed, and if a seed has no value.

    >>> round(seeds_margin([0.41, 0.44, 0.47]), 4)
    0.0745
    """
    from harness.statistics.intervals import student

    known = [value for value in values if value is not None]
    if len(known) < 2 or len(known) < len(values):
        return None
    return student(len(known) - 1) * stdev(known) / math.sqrt(len(known))
