"""Tests whether a level's drop stays within a limit, by a one-sided confidence bound on the paired drop.

If the test is undecided, it also estimates how many samples would decide it.

The bound is the upper end of the drop's interval (`harness.statistics.drops`) at the confidence of a one-sided bound. A
relative limit r is a limit on the ratio of the drop to the uncompressed value. The uncompressed value is uncertain too.
So the bound on the ratio is within r exactly if the bound on drop - r |baseline| is at most 0, as Fieller's is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from harness.statistics.drops import Drop
from harness.statistics.estimate import UNKNOWN, Estimate
from harness.statistics.quantiles import student
from harness.statistics.spread import unseen_share

if TYPE_CHECKING:
    from harness.decide.limit import Limit
    from harness.statistics.intervals import Replicates

__all__ = ["POWER", "Bound", "binomial_bound", "bound_of", "needed_groups", "one_sided_quantile"]

POWER = 0.8
"""The probability that the estimated number of samples decides the test, if the true drop equals the measured one."""

Verdict = Literal["holds", "fails", "undecided", "unknown"]


@dataclass(frozen=True)
class Bound:
    """The result of testing whether a metric's drop at a compression level stays within a limit.

    Args:
        verdict: `holds`: the bound on the drop is within the limit. `fails`: the drop exceeds the limit, with the same
            confidence. `undecided`: neither. `unknown`: the test could not be made.
        drop: the drop in the metric's unit, with its two-sided 95% interval; positive is worse. It has no value if it
            is unknown.
        value: the one-sided bound, in the unit of the limit (a share for a relative limit); None if unknown.
        share: the drop divided by the uncompressed value; None if the uncompressed value is 0.
        groups_needed: the number of groups of samples that would decide the test with the probability `POWER`. None if
            the test is decided, or if the measured drop exceeds the limit, so that more samples would not help.
        reason: why the verdict is `unknown`.
        unmoved: whether the drop is 0 in every resample.
    """

    verdict: Verdict
    drop: Estimate = UNKNOWN
    value: float | None = None
    share: float | None = None
    groups_needed: int | None = None
    reason: str | None = None
    unmoved: bool = False

    def record(self) -> dict[str, Any]:
        """Return the bound as plain values, for JSON; the drop's interval as `low` and `high`."""
        return {
            "verdict": self.verdict,
            "drop": self.drop.value,
            "low": self.drop.low,
            "high": self.drop.high,
            "value": self.value,
            "share": self.share,
            "groups_needed": self.groups_needed,
            "reason": self.reason,
        }

    @property
    def is_unmoved(self) -> bool:
        """Whether the drop is 0 in every resample, and there are too few samples for the verdict `holds`."""
        return self.verdict == "undecided" and self.unmoved


def one_sided_quantile(freedom: int, confidence: float) -> float:
    """Return Student's one-sided quantile for these degrees of freedom.

    >>> round(one_sided_quantile(199, 0.95), 3)
    1.653
    """
    return student(freedom, 2 * confidence - 1)


def bound_of(
    level: Replicates,
    baseline: Replicates,
    metric: str,
    higher_is_better: bool,
    limit: Limit,
    confidence: float,
    exact: bool = False,
) -> Bound:
    """Test whether a metric's drop at a compression level stays within a limit.

    Args:
        level: the metrics and resamples of the experiment at the level.
        baseline: those of the experiment on uncompressed frames, on the same samples, groups and resamples.
        metric: the metric's name.
        higher_is_better: whether a larger value of the metric is better.
        limit: the largest drop that is allowed.
        confidence: the confidence level of the one-sided bound, above 0.5.
        exact: whether the decoded frames are equal to the source's frames, so that a drop of 0 is exact.

    Raises:
        ValueError: the two experiments do not have the same samples, groups and resamples.
    """
    found = Drop.of(level, baseline, metric, higher_is_better)
    drop, base = found.value, baseline.values.get(metric, math.nan)
    if math.isnan(drop):
        return Bound("unknown", reason="the metric is undefined: no sample has anything of its kind")
    share = drop / abs(base) if base else None
    bound = Bound("unknown", drop=Estimate(drop), share=share)
    if found.reason is not None:
        return replace(bound, reason=_UNKNOWN.get(found.reason, found.reason))
    is_exact = exact and found.is_zero
    ends = (0.0, 0.0) if is_exact else found.ends()
    bound = replace(bound, drop=Estimate(drop, *ends), unmoved=found.is_zero)
    two_sided, t = 2 * confidence - 1, one_sided_quantile(level.groups - 1, confidence)
    if limit.relative and (not base or abs(base) <= t * found.base_error):
        return replace(bound, reason="the uncompressed value cannot be told from 0: no share of it")
    if is_exact:
        return replace(bound, verdict="holds", value=0.0)
    lower, value = found.ends(two_sided, bound=True)
    if limit.relative:
        lower, value = found.lower_share(two_sided), found.upper_share(two_sided)
    # The tolerance absorbs rounding errors of floating-point numbers: 0.02 is not exactly 2/100.
    tolerance = 1e-9 * max(1.0, abs(limit.value))
    if value <= limit.value + tolerance:
        return replace(bound, verdict="holds", value=value)
    if lower > limit.value + tolerance:
        return replace(bound, verdict="fails", value=value)
    return replace(bound, verdict="undecided", value=value, groups_needed=_needed(found, limit, confidence))


_UNKNOWN = {
    "no interval: all samples come from one group": (
        "all samples come from one group: nobody knows how far the drop would move"
    )
}


def _needed(found: Drop, limit: Limit, confidence: float) -> int | None:
    """Return the number of groups that would decide the test; None if the measured drop is beyond the limit."""
    share = limit.value if limit.relative else 0.0
    excess = found.value - limit.allowed(found.base)
    if excess >= 0:
        return None
    if found.is_zero:
        allowed = limit.allowed(found.base)
        return math.ceil(math.log(1 - confidence) / math.log1p(-allowed)) if 0 < allowed < 1 else None
    return needed_groups(found.groups, excess, found.error_beyond(share), confidence)


def binomial_bound(groups: int, confidence: float) -> float:
    """Return the largest share of groups that may have a property if none of the observed groups has it.

    This is the one-sided binomial bound. With 40 groups of which none loses, for example, up to 7.2% of all groups may
    lose (95% confidence).

    Args:
        groups: the number of observed groups.
        confidence: the confidence level.

    >>> round(binomial_bound(40, 0.95), 3)
    0.072
    """
    return unseen_share(groups, 2 * confidence - 1)


def needed_groups(groups: int, excess: float, error: float, confidence: float) -> int:
    """Return the number of groups with which the bound would be within the limit with the probability `POWER`.

    The estimate assumes that the true drop equals the measured one, and that the standard error falls with the square
    root of the number of groups.

    Args:
        groups: the number of measured groups.
        excess: the measured drop minus the largest drop that is allowed; negative.
        error: the standard error of `excess`.
        confidence: the confidence level of the bound.
    """
    unit = error * math.sqrt(groups)
    count = groups
    for _ in range(50):
        reach = one_sided_quantile(max(1, count - 1), confidence) + NormalDist().inv_cdf(POWER)
        needed = max(2, math.ceil((reach * unit / abs(excess)) ** 2))
        if needed == count:
            break
        count = needed
    return count
