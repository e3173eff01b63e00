"""The drop of a metric between two experiments on the same samples: its paired interval, bounds and p-value.

Everything that compares two experiments uses this one method: results, recommendations, comparisons and reports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import Estimate
from harness.statistics.intervals import interval, why_no_interval
from harness.statistics.proportions import (
    UNSEEN_OF_BOUND,
    UNSEEN_OF_DROP,
    Hits,
    drop_interval,
    paired,
    upper_share_lost,
)
from harness.statistics.quantiles import CONFIDENCE
from harness.statistics.resamples import standard_error
from harness.statistics.spread import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.statistics.intervals import Replicates

__all__ = ["Drop", "paired_interval"]

_STEPS = 50
_P_STEPS = 30
"""p-values are exact to 2^-30."""


@dataclass(frozen=True)
class Drop:
    """The drop of a metric against a baseline; positive if it got worse.

    Args:
        value: the drop on all samples; NaN if it is undefined.
        groups: the number of groups that the metric depends on.
        reason: why it has no interval; None if it has one.
        error: the standard error; NaN without an interval.
        resampled_groups: the number of groups that were resampled.
        least: the smallest possible drop.
        most: the largest possible drop.
        base: the baseline's value.
    """

    value: float
    groups: int
    reason: str | None
    error: float = math.nan
    resampled_groups: int = 0
    least: float = -math.inf
    most: float = math.inf
    base: float = math.nan
    _drops: NDArray[np.float64] | None = field(default=None, repr=False)
    _bases: NDArray[np.float64] | None = field(default=None, repr=False)
    _influences: tuple[NDArray[np.float64], NDArray[np.float64]] | None = field(default=None, repr=False)
    _hits: tuple[Hits, Hits] | None = field(default=None, repr=False)
    _bounded: bool = False

    @classmethod
    def of(cls, found: Replicates, baseline: Replicates, metric: str, higher_is_better: bool) -> Drop:
        """Return the drop of a metric.

        Args:
            found: the metrics and resamples of an experiment.
            baseline: those of its baseline, on the same samples, groups and resamples.
            metric: the metric's name.
            higher_is_better: whether a larger value of the metric is better.

        Raises:
            ValueError: the two experiments do not have the same samples, groups and resamples.
        """
        if found.source != baseline.source:
            raise ValueError("a paired interval needs two experiments on the same samples, groups and resamples")
        sign, base = 1.0 if higher_is_better else -1.0, baseline.values.get(metric, math.nan)
        groups = found.groups_of(metric)
        value = sign * (base - found.values.get(metric, math.nan))
        if math.isnan(value):
            of = baseline if math.isnan(base) else found
            return cls(math.nan, groups, of.why_undefined(metric))
        hits = _paired_hits(found, baseline, metric, higher_is_better)
        resampled = None
        if metric in found.resampled and metric in baseline.resampled:
            resampled = sign * (baseline.resampled[metric] - found.resampled[metric])
        if reason := why_no_interval(resampled, found.groups, None if hits is not None else groups):
            return cls(value, groups, reason)
        assert resampled is not None
        bases = math.copysign(1.0, base) * baseline.resampled[metric]
        defined = np.isfinite(resampled) & np.isfinite(bases)
        parts = found.influences.get(metric), baseline.influences.get(metric)
        known = None
        if parts[0] is not None and parts[1] is not None:
            known = sign * (parts[1] - parts[0]), math.copysign(1.0, base) * parts[1]
        bounded = metric in found.ratios and 0 <= base <= 1 and 0 <= found.values[metric] <= 1
        error = standard_error(resampled[defined], found.groups) if defined.sum() > 1 else math.nan
        least, most = _possible(baseline, metric) if bounded else (-math.inf, math.inf)
        whole = value, groups, None, error, found.groups, least, most
        return cls(*whole, base, resampled[defined], bases[defined], known, hits, bounded)

    @property
    def is_zero(self) -> bool:
        """Whether the drop is 0 in every resample."""
        return self.value == 0 and self._drops is not None and not self._drops.any()

    @property
    def base_error(self) -> float:
        """The standard error of the baseline's value."""
        assert self._bases is not None
        return standard_error(self._bases, self.resampled_groups)

    def ends(self, confidence: float = CONFIDENCE, bound: bool = False) -> tuple[float, float]:
        """Return the lower and the upper end of the interval; it must not lack one (`reason`).

        Args:
            confidence: the confidence level of the two-sided interval. Each end is a one-sided bound at the level
                (1 + confidence) / 2.
            bound: whether each end must hold alone. The ends of an interval may fail unequally often.
        """
        if self._hits is not None:
            unseen = UNSEEN_OF_BOUND if bound else UNSEEN_OF_DROP
            low, high = drop_interval(paired(*self._hits, unseen=unseen), confidence, bound)
        else:
            below, above = self._spread().reach(confidence, bound)
            low, high = self.value - below, self.value + above
        return max(low, min(self.least, self.value)), min(high, max(self.most, self.value))

    def estimate(self) -> Estimate:
        """Return the drop with its 95% interval, or with the reason why it has none."""
        if self.reason is not None:
            return Estimate(None if math.isnan(self.value) else self.value, reason=self.reason, groups=self.groups)
        return Estimate(self.value, *self.ends(), groups=self.groups)

    def upper_share(self, confidence: float = CONFIDENCE) -> float:
        """Return the upper bound of the drop as a share of the baseline's value, which is not 0.

        Args:
            confidence: as in `ends`; the bound must hold alone.
        """
        if self._hits is not None and self._hits[1].right.any() and self._bounded:
            return upper_share_lost(*self._hits, confidence)
        base = abs(self.base)
        if self.is_zero:
            return self._spread().reach(confidence, bound=True)[1] / base

        def holds(share: float) -> bool:
            return self.value - share * base + self._spread(share).reach(confidence, bound=True)[1] > 0

        inside = outside = self.value / base
        step = max(1e-3, abs(inside))
        while holds(outside) and step < 1e9:
            inside, outside, step = outside, outside + step, 2 * step
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if holds(middle) else (inside, middle)
        return outside

    def lower_share(self, confidence: float = CONFIDENCE) -> float:
        """Return the lower bound of the drop, as a share of the baseline's value on these samples."""
        return self.ends(confidence, bound=True)[0] / abs(self.base)

    def error_beyond(self, share: float) -> float:
        """Return the standard error of the drop minus a share of the baseline's value."""
        assert self._drops is not None
        assert self._bases is not None
        return standard_error(self._drops - share * self._bases, self.resampled_groups)

    def p_value(self) -> float:
        """Return the two-sided p-value of the hypothesis that there is no drop: 1 - the confidence that excludes 0."""
        if self.value == 0:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(_P_STEPS):
            middle = (low + high) / 2
            ends = self.ends(1 - middle)
            low, high = (low, middle) if ends[0] > 0 or ends[1] < 0 else (middle, high)
        return high

    def _spread(self, share: float = 0.0) -> Spread:
        """Return the uncertainty of the drop minus a share of the baseline's value."""
        combined = None
        if self._influences is not None:
            combined = self._influences[0] - share * self._influences[1]
        error = self.error_beyond(share) if share else self.error
        return Spread.of(error, combined, self.groups, self._bounded, unlimited=not self._bounded)


def paired_interval(
    found: Replicates, baseline: Replicates, metric: str, higher_is_better: bool, exact: bool = False
) -> Estimate:
    """Return the drop of a metric against the baseline, with its paired 95% interval; positive if it got worse.

    Args:
        found: the metrics and resamples of an experiment.
        baseline: those of its baseline.
        metric: the metric's name.
        higher_is_better: whether a larger value of the metric is better.
        exact: whether the decoded frames are equal to the source's frames, so that a drop of 0 is exact.

    Raises:
        ValueError: the two experiments do not have the same samples, groups and resamples.
    """
    drop = Drop.of(found, baseline, metric, higher_is_better)
    if exact and drop.is_zero:
        return Estimate(0.0, 0.0, 0.0, groups=drop.groups)
    return drop.estimate()


def _paired_hits(
    found: Replicates, baseline: Replicates, metric: str, higher_is_better: bool
) -> tuple[Hits, Hits] | None:
    """Return the right frames of the experiment and of its baseline; exchanged if a lower share is better."""
    first, second = found.hits.get(metric), baseline.hits.get(metric)
    if first is None or second is None or not np.array_equal(first.frames, second.frames):
        return None
    return (first, second) if higher_is_better else (second, first)


def _possible(baseline: Replicates, metric: str) -> tuple[float, float]:
    """Return the smallest and the largest drop of a metric between 0 and 1, given what its baseline may be."""
    found = interval(baseline, metric)
    low, high = (0.0, 1.0) if found.low is None or found.high is None else (found.low, found.high)
    return low - 1.0, high
