"""Two ladders of one codec at equal levels: paired differences, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.decide.estimate import Side, estimate_of, pairs
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import student

if TYPE_CHECKING:
    from harness.decide.estimate import Known

__all__ = ["LevelComparison", "compare_levels", "holm"]


@dataclass(frozen=True)
class LevelComparison:
    """Both at one level of one codec.

    Args:
        level: the level.
        first: the metric of the first; None where it is undefined.
        second: of the second.
        difference: by how much the second is better; positive is better, whatever the metric's direction.
        p: two-sided, of no difference (Student's).
        p_holm: adjusted for all the levels that are compared (Holm 1979).
    """

    level: float
    first: float | None
    second: float | None
    difference: Estimate
    p: float | None = None
    p_holm: float | None = None


def compare_levels(first: Side, second: Side, at: Known, sign: float, freedom: int) -> list[LevelComparison]:
    """The levels that both have."""
    found = []
    for one, other in pairs(first, second):
        before, after = at[one.facts["experiment"]][0], at[other.facts["experiment"]][0]
        difference = estimate_of(sign * (after.value - before.value), sign * (after.around - before.around), freedom)
        p = _p_value(difference, freedom)
        first_value, second_value = (None if math.isnan(one.value) else one.value for one in (before, after))
        found.append(LevelComparison(one.facts["level"], first_value, second_value, difference, p))
    return holm(found)


def _p_value(difference: Estimate, freedom: int) -> float | None:
    from scipy.stats import t

    if difference.value is None or difference.high is None:
        return None
    error = (difference.high - difference.value) / student(freedom)
    if error == 0:
        return 1.0 if difference.value == 0 else 0.0
    return float(2 * t.sf(abs(difference.value) / error, freedom))


def holm(found: Sequence[LevelComparison]) -> list[LevelComparison]:
    """With the p-values adjusted step by step: S. Holm, Scandinavian Journal of Statistics 6 (1979)."""
    tested = sorted((n for n, one in enumerate(found) if one.p is not None), key=lambda n: found[n].p or 0.0)
    adjusted, largest = {}, 0.0
    for rank, n in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * (found[n].p or 0.0)))
        adjusted[n] = largest
    return [replace(one, p_holm=adjusted.get(n)) for n, one in enumerate(found)]
