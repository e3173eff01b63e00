"""Intervals of ratios of differences: what share of a loss retraining recovers.

Fieller's interval (Journal of the Royal Statistical Society B 16, 1954) for the ratio of two means that are about
normal: unlike the spread of the ratio itself it stays right when the denominator is small, and where the denominator
cannot be told from 0 there is no finite one, and none is given. Variances and covariance come from the same resamples
as every other interval (`harness.statistics.intervals`), so the pairing of the samples is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates, standard_error, student

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Difference", "difference", "fieller", "ratio_interval"]


@dataclass(frozen=True)
class Difference:
    """How much better one experiment is than another in one metric.

    Args:
        value: positive when better.
        resampled: float64[R], on each resample.
        groups: how many groups were resampled.
    """

    value: float
    resampled: NDArray[np.float64]
    groups: int


def difference(better: Replicates, worse: Replicates, metric: str, higher_is_better: bool) -> Difference | None:
    """By how much `better` is better than `worse`; None where the metric has no resamples.

    Raises:
        ValueError: the two do not stand on the same samples and resamples.
    """
    if better.source != worse.source:
        raise ValueError("a paired difference needs two experiments on the same samples, groups and resamples")
    if metric not in better.resampled or metric not in worse.resampled:
        return None
    sign = 1.0 if higher_is_better else -1.0
    value = sign * (better.values[metric] - worse.values[metric])
    return Difference(value, sign * (better.resampled[metric] - worse.resampled[metric]), better.groups)


def ratio_interval(part: Difference, whole: Difference, what: str) -> Estimate:
    """The share `part` / `whole` with its 95% interval.

    Args:
        part: what was gained.
        whole: what could be.
        what: what `whole` is, for the reason where it is not significantly above 0.

    Returns:
        No value where the whole is not significantly above 0: a share of nothing is no number.
    """
    defined = ~np.isnan(part.resampled) & ~np.isnan(whole.resampled)
    if math.isnan(part.value) or math.isnan(whole.value) or not defined.all():
        return Estimate(None, None, None, "undefined: no sample has anything of its kind", whole.groups)
    error = standard_error(whole.resampled, whole.groups)
    reach = student(whole.groups - 1) * error
    if whole.value - reach <= 0:
        found = f"{what} is {whole.value:.3g} [{whole.value - reach:.3g}, {whole.value + reach:.3g}]"
        return Estimate(None, None, None, f"no share: {found}, not significantly above 0", whole.groups)
    scale = (error / float(np.std(whole.resampled, ddof=1))) ** 2 if error else 0.0
    covariance = np.cov(part.resampled, whole.resampled, ddof=1) * scale
    low, high = fieller(part.value, whole.value, covariance, student(whole.groups - 1))
    return Estimate(part.value / whole.value, low, high, groups=whole.groups)


def fieller(numerator: float, denominator: float, covariance: NDArray[np.float64], reach: float) -> tuple[float, float]:
    """Fieller's interval of numerator / denominator.

    Args:
        numerator: its estimate.
        denominator: its estimate, more than `reach` standard errors above 0.
        covariance: float64[2, 2] of the two estimates, the numerator first.
        reach: Student's or the normal's quantile.

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
