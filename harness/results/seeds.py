"""Experiments that differ only in the seed of their training, as one: the means, and by how much the seeds differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from harness.results.cells import Measured
from harness.statistics.estimate import UNKNOWN, Estimate

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["average_over_seeds", "mean_or_none", "seeds_margin"]


def average_over_seeds(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """The experiments, those of one training from several seeds as one, at the place of the first.

    Values, drops and the ends of their intervals over samples are means over the seeds; the margins are what the seeds
    add to that. Only what is finished is averaged. The seed of an average is a text: "0, 1, 2".
    """
    alike: dict[tuple[object, ...], list[ResultCell]] = {}
    for cell in cells:
        facts = cell.facts
        whole = facts["status"] == "finished" and facts.get("series") is not None
        key = (facts["cell"], facts["series"]) if whole else (facts["experiment"],)
        alike.setdefault(key, []).append(cell)
    return [_one(group) if len(group) > 1 else group[0] for group in alike.values()]


def _one(cells: Sequence[ResultCell]) -> ResultCell:
    first = cells[0]
    seeds = ", ".join(str(seed) for seed in sorted(cell.facts["seed"] for cell in cells))
    names = dict.fromkeys(name for cell in cells for name in cell.metrics)
    metrics = {name: _mean([cell.metrics.get(name) for cell in cells]) for name in names}
    return replace(first, facts={**first.facts, "seed": seeds}, metrics=metrics, seeds=len(cells))


def _mean(measured: Sequence[Measured | None]) -> Measured:
    """The mean of one metric over seeds; undefined where a seed lacks the metric.

    (Experiments lack a metric that was added to the task after they had finished.)
    """
    first = next(one for one in measured if one is not None)
    lacking = Measured(UNKNOWN, first.is_primary, first.higher_is_better)
    seeds = [one or lacking for one in measured]
    return replace(
        first,
        metric=_mean_estimate([seed.metric for seed in seeds]),
        margin=seeds_margin([seed.metric.value for seed in seeds]),
        drop=_mean_estimate([seed.drop for seed in seeds]),
        drop_margin=seeds_margin([seed.drop.value for seed in seeds]),
    )


def _mean_estimate(seeds: Sequence[Estimate]) -> Estimate:
    """The means of the values and of both ends of the intervals."""
    return Estimate(
        mean_or_none([seed.value for seed in seeds]),
        mean_or_none([seed.low for seed in seeds]),
        mean_or_none([seed.high for seed in seeds]),
    )


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean; None unless every seed has a value."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def seeds_margin(values: Sequence[float | None]) -> float | None:
    """Half of Student's 95% interval of the mean over seeds; None for a single one, or unless every seed has a value.

    >>> round(seeds_margin([0.41, 0.44, 0.47]), 4)
    0.0745
    """
    from harness.statistics.intervals import student

    known = [value for value in values if value is not None]
    if len(known) < 2 or len(known) < len(values):
        return None
    return student(len(known) - 1) * stdev(known) / math.sqrt(len(known))
