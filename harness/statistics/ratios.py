"""Confidence intervals of ratios of two differences, for example the share of a loss that retraining recovers.

The intervals are Fieller's (Journal of the Royal Statistical Society B 16, 1954), for the ratio of two means that are
approximately normally distributed. Fieller's interval stays correct if the denominator is small; an interval from the
spread of the resampled ratios does not. If the denominator is not significantly different from 0, no finite interval
exists, and none is returned. The variances and the covariance come from the same resamples as every other interval
(`harness.statistics.intervals`), so the samples stay paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.drops import Drop
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates, standard_error, student

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Difference", "difference", "fieller", "ratio_interval"]


@dataclass(frozen=True)
class Difference:
    """The difference between two experiments in one metric.

    Args:
        value: the difference on all samples; positive if the first experiment is better.
        resampled: float64[R]: the difference on each resample.
        groups: the number of groups that were resampled.
        low: the lower end of its 95% interval; None if it is that of Student's interval.
    """

    value: float
    resampled: NDArray[np.float64]
    groups: int
    low: float | None = None


def difference(better: Replicates, worse: Replicates, metric: str, higher_is_better: bool) -> Difference | None:
    """Return by how much `better` is better than `worse` in a metric; None if the metric has no resamples.

    Raises:
        ValueError: the two experiments do not have the same samples, groups and resamples.
    """
    if better.source != worse.source:
        raise ValueError("a paired difference needs two experiments on the same samples, groups and resamples")
    if metric not in better.resampled or metric not in worse.resampled:
        return None
    sign = 1.0 if higher_is_better else -1.0
    value = sign * (better.values[metric] - worse.values[metric])
    found = Drop.of(worse, better, metric, higher_is_better)
    low = None if found.reason is not None else found.ends()[0]
    return Difference(value, sign * (better.resampled[metric] - worse.resampled[metric]), better.groups, low)


def ratio_interval(part: Difference, whole: Difference, what: str) -> Estimate:
    """Return the ratio `part` / `whole` with its 95% interval.

    Args:
        part: the numerator: what was gained.
        whole: the denominator: what could be gained at most.
        what: a name for `whole`, for the reason that is given if `whole` is not significantly above 0.

    Returns:
        the ratio; without a value if `whole` is not significantly above 0.
    """
    defined = ~np.isnan(part.resampled) & ~np.isnan(whole.resampled)
    if math.isnan(part.value) or math.isnan(whole.value) or not defined.all():
        return Estimate(None, None, None, "undefined: no sample has anything of its kind", whole.groups)
    error = standard_error(whole.resampled, whole.groups)
    half_width = student(whole.groups - 1) * error
    low = whole.value - half_width if whole.low is None else min(whole.low, whole.value - half_width)
    if low <= 0:
        text = f"{what} is {whole.value:.3g} [{low:.3g}, {whole.value + half_width:.3g}]"
        return Estimate(None, None, None, f"no share: {text}, not significantly above 0", whole.groups)
    scale = (error / float(np.std(whole.resampled, ddof=1))) ** 2 if error else 0.0
    covariance = np.cov(part.resampled, whole.resampled, ddof=1) * scale
    low, high = fieller(part.value, whole.value, covariance, student(whole.groups - 1))
    return Estimate(part.value / whole.value, low, high, groups=whole.groups)


def fieller(numerator: float, denominator: float, covariance: NDArray[np.float64], reach: float) -> tuple[float, float]:
    """Return Fieller's interval (low, high) of the ratio numerator / denominator.

    Args:
        numerator: the estimate of the numerator.
        denominator: the estimate of the denominator; more than `reach` standard errors above 0.
        covariance: float64[2, 2]: the covariance matrix of the two estimates, the numerator first.
        reach: the number of standard errors: the quantile of Student's or of the normal distribution.

    >>> low, high = fieller(1.0, 2.0, np.array([[0.01, 0.0], [0.0, 0.0]]), 2.0)
    >>> round(low, 6), round(high, 6)
    (0.4, 0.6)
    """
    ratio = numerator / denominator
    (top, both), (_, bottom) = covariance
    g = reach**2 * bottom / denominator**2
    if bottom == 0:
        half = reach / denominator * math.sqrt(top)
        return ratio - half, ratio + half
    middle = ratio - g * both / bottom
    inside = top - 2 * ratio * both + ratio**2 * bottom - g * (top - both**2 / bottom)
    half = reach / denominator * math.sqrt(max(0.0, inside))
    return (middle - half) / (1 - g), (middle + half) / (1 - g)
