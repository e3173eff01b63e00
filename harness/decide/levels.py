"""Compares two ladders of one codec at equal levels: paired differences, with intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.decide.paired import Side, pairs
from harness.statistics.drops import Drop
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.decide.paired import Known

__all__ = ["LevelComparison", "compare_levels", "holm"]


@dataclass(frozen=True)
class LevelComparison:
    """The comparison of two ladders at one level of one codec.

    Args:
        level: the level.
        first: the metric of the first ladder; None if it is undefined.
        second: the metric of the second ladder; None if it is undefined.
        difference: by how much the second ladder is better, with its interval. It is positive if the second is better,
            also for metrics of which a lower value is better.
        p: the two-sided p-value of the hypothesis of no difference: 1 - the confidence of the interval that ends at 0.
        p_holm: the p-value, adjusted for all the levels that are compared (Holm 1979).
    """

    level: float
    first: float | None
    second: float | None
    difference: Estimate
    p: float | None = None
    p_holm: float | None = None


def compare_levels(first: Side, second: Side, at: Known, higher_is_better: bool) -> list[LevelComparison]:
    """Compare two ladders at each level that both have.

    Args:
        first: the anchor of the comparison.
        second: the ladder that is compared with the anchor.
        at: the metric and the rate of each experiment.
        higher_is_better: whether a larger value of the metric is better.
    """
    levels = []
    for first_cell, second_cell in pairs(first, second):
        before, after = at[first_cell.facts["experiment"]][0], at[second_cell.facts["experiment"]][0]
        found = Drop.of(before.replicates, after.replicates, after.metric, higher_is_better)
        difference, p = found.estimate(), None if found.reason is not None else found.p_value()
        values = [None if math.isnan(metric.value) else metric.value for metric in (before, after)]
        levels.append(LevelComparison(first_cell.facts["level"], values[0], values[1], difference, p))
    return holm(levels)


def holm(found: Sequence[LevelComparison]) -> list[LevelComparison]:
    """Return the comparisons with p-values adjusted by Holm's step-down method.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    tested = sorted((n for n, one in enumerate(found) if one.p is not None), key=lambda n: found[n].p or 0.0)
    adjusted, largest = {}, 0.0
    for rank, n in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * (found[n].p or 0.0)))
        adjusted[n] = largest
    return [replace(one, p_holm=adjusted.get(n)) for n, one in enumerate(found)]
