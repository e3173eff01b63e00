"""Whether a level's drop stays within a limit: a one-sided bound on the paired drop, and how many samples would decide.

An absolute limit is compared with the bound drop + t s, where s is the drop's standard error from the paired resamples
(`harness.statistics.intervals`) and t Student's one-sided quantile. A relative limit r is a limit on the ratio of the
drop to the uncompressed value, which is uncertain too: the bound is Fieller's (`harness.statistics.ratios`), so that it
stays within r just where the bound on drop - r |baseline| stays below 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.statistics.estimate import UNKNOWN, Estimate
from harness.statistics.intervals import UNDEFINED_ALLOWED, standard_error, student
from harness.statistics.ratios import fieller

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.decide.limit import Limit
    from harness.statistics.intervals import Replicates

__all__ = ["POWER", "Bound", "binomial_bound", "bound_of", "needed_groups", "one_sided_quantile", "zero_drop_bound"]

POWER = 0.8
"""The chance that the number of samples which is told decides, if the drop is what it was measured to be."""

Verdict = Literal["holds", "fails", "undecided", "unknown"]


@dataclass(frozen=True)
class Bound:
    """What is known of a level's drop against a limit.

    Args:
        verdict: `holds`: the bound is within the limit; `fails`: the drop lies beyond it, as surely; `undecided`:
            neither; `unknown`: there is nothing to judge by.
        drop: in the metric's unit, positive is worse, with its two-sided 95% interval; without a value when unknown.
        value: the one-sided bound, in the limit's own terms (a share where it is one); None when unknown.
        share: the drop as a share of the uncompressed value; None where that is 0.
        groups_needed: how many groups of samples would decide, with the chance `POWER`; None where none would (the
            measured drop is not within the limit) or none are needed.
        reason: why it is unknown.
    """

    verdict: Verdict
    drop: Estimate = UNKNOWN
    value: float | None = None
    share: float | None = None
    groups_needed: int | None = None
    reason: str | None = None

    @property
    def is_unmoved(self) -> bool:
        """Whether nothing was lost in any resample, and the samples are too few to be sure of more."""
        return self.verdict == "undecided" and self.drop.value == self.drop.low == self.drop.high == 0


def one_sided_quantile(freedom: int, confidence: float) -> float:
    """Student's one-sided quantile.

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
    """A level against the baseline, on the samples that finished in both.

    Args:
        level: resamples of the level.
        baseline: of the uncompressed experiment, on the same samples, groups and resamples.
        metric: its name.
        higher_is_better: its direction.
        limit: the largest drop allowed.
        confidence: of the one-sided bound, above 0.5.
        exact: whether the level's decoded frames are the source's: then a drop of 0 is no matter of luck.

    Raises:
        ValueError: the two do not stand on the same samples and resamples.
    """
    if level.source != baseline.source:
        raise ValueError("a bound needs two experiments on the same samples, groups and resamples")
    sign = 1.0 if higher_is_better else -1.0
    base = baseline.values.get(metric, math.nan)
    drop = sign * (base - level.values.get(metric, math.nan))
    if math.isnan(drop):
        return Bound("unknown", reason="the metric is undefined: no sample has anything of its kind")
    share = drop / abs(base) if base else None
    told = Bound("unknown", drop=Estimate(drop), share=share)
    if level.groups < 2:
        return replace(told, reason="all samples come from one group: nobody knows how far the drop would move")
    if metric not in level.resampled or metric not in baseline.resampled:
        return replace(told, reason="no interval is computed for this metric")
    drops, bases = (
        sign * (baseline.resampled[metric] - level.resampled[metric]),
        math.copysign(1.0, base) * baseline.resampled[metric],
    )
    defined = np.isfinite(drops) & np.isfinite(bases)
    if (missing := float(np.mean(~defined))) > UNDEFINED_ALLOWED:
        return replace(told, reason=f"undefined in {missing:.0%} of the resamples: too few samples have its kind")
    drops, bases = drops[defined], bases[defined]
    freedom = level.groups - 1
    reach = student(freedom) * standard_error(drops, level.groups)
    told = replace(told, drop=Estimate(drop, drop - reach, drop + reach))
    t = one_sided_quantile(freedom, confidence)
    covariance = _covariance(drops, bases, level.groups)
    if limit.relative and abs(base) <= t * math.sqrt(covariance[1, 1]):
        return replace(told, reason="the uncompressed value cannot be told from 0: no share of it")
    if drop == 0 and not drops.any() and not exact and metric in level.ratios:
        return zero_drop_bound(told, level.groups, base, limit, confidence)
    if limit.relative:
        lower, value = fieller(drop, abs(base), covariance, t)
        weights = np.array([1.0, -limit.value])
        excess, error = drop - limit.value * abs(base), math.sqrt(max(0.0, float(weights @ covariance @ weights)))
    else:
        error, excess = math.sqrt(covariance[0, 0]), drop - limit.value
        lower, value = drop - t * error, drop + t * error
    # A share that rounds to the limit is within it: 0.02 in the computer's numbers is not 2/100.
    slack = 1e-9 * max(1.0, abs(limit.value))
    if value <= limit.value + slack:
        return replace(told, verdict="holds", value=value)
    if lower > limit.value + slack:
        return replace(told, verdict="fails", value=value)
    needed = needed_groups(level.groups, excess, error, confidence) if excess < 0 else None
    return replace(told, verdict="undecided", value=value, groups_needed=needed)


def binomial_bound(groups: int, confidence: float) -> float:
    """The share that something may have of which none was met in so many groups: the binomial bound.

    >>> round(binomial_bound(40, 0.95), 3)
    0.072
    """
    return 1.0 - float((1.0 - confidence) ** (1 / groups))


def zero_drop_bound(told: Bound, groups: int, base: float, limit: Limit, confidence: float) -> Bound:
    """Of a drop of 0 in every resample, whose standard error says nothing of what was not met.

    Taken is the binomial bound (Clopper and Pearson 1934) on the share of groups that lose, as if each lost all of a
    metric in 0-1. That bounds the drop of a mean over groups, as top-1 is. Of AP, and of means over classes, it is what
    the bound is at least: a group may carry a whole class.

    Args:
        told: drop, interval and share.
        groups: in how many nothing was lost.
        base: the uncompressed value.
        limit: the largest drop allowed.
        confidence: of the bound.
    """
    lost, allowed = binomial_bound(groups, confidence), limit.allowed(base)
    value = lost / abs(base) if limit.relative else lost
    if lost <= allowed:
        return replace(told, verdict="holds", value=value)
    needed = math.ceil(math.log(1 - confidence) / math.log1p(-allowed)) if 0 < allowed < 1 else None
    return replace(told, verdict="undecided", value=value, groups_needed=needed)


def _covariance(drops: NDArray[np.float64], bases: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """float64[2, 2], of drop and uncompressed value on all groups."""
    own = float(np.std(drops, ddof=1))
    base = float(np.std(bases, ddof=1))
    some = own or base
    scale = (standard_error(drops if own else bases, groups) / some) ** 2 if some else 0.0
    return np.asarray(np.cov(drops, bases, ddof=1) * scale, np.float64)


def needed_groups(groups: int, excess: float, error: float, confidence: float) -> int:
    """Groups with which the bound would stay within the limit, with the chance `POWER`, if the drop is as measured.

    The standard error falls with the root of their number.
    """
    unit = error * math.sqrt(groups)
    count = groups
    for _ in range(50):
        reach = one_sided_quantile(max(1, count - 1), confidence) + NormalDist().inv_cdf(POWER)
        wanted = max(2, math.ceil((reach * unit / abs(excess)) ** 2))
        if wanted == count:
            break
        count = wanted
    return count
