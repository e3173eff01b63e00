"""Bjontegaard differences between two ladders, with intervals from their resamples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.decide.bjontegaard import Delta, Method, RateCurve, bd_quality, bd_rate, pareto_front
from harness.decide.paired import TOO_FEW, Draw, has_too_few
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import UNDEFINED_ALLOWED
from harness.statistics.spread import Spread

if TYPE_CHECKING:
    from harness.results.resampled import ResampledMetric

__all__ = ["ResampledCurve", "quality_difference", "rate_difference"]


class ResampledCurve:
    """The curve of a metric against rate over the levels of a codec, on all samples and on each resample.

    Args:
        points: the metric and the rate of each level.
        sign: 1 if a higher metric is better, -1 if a lower one is better.
    """

    def __init__(self, points: Sequence[tuple[ResampledMetric, ResampledMetric]], sign: float) -> None:
        self.points, self.sign = list(points), sign
        self.whole = RateCurve(
            np.array([rate.value for _, rate in points]), sign * np.array([metric.value for metric, _ in points])
        )

    @cached_property
    def kept(self) -> list[int]:
        """The indices of the points on the Pareto front, by increasing rate: no cheaper point is equal or better."""
        return pareto_front(self.whole)

    @property
    def unsure(self) -> bool:
        """Whether a point of the Pareto front is undefined in too many resamples for an interval."""
        return any(has_too_few(drawn.around) for n in self.kept for drawn in self.points[n])

    def resampled(self) -> list[RateCurve | None]:
        """Return a curve for each resample; None for a resample in which a point of the Pareto front is undefined.

        The values are scaled so that their standard deviation is the standard error (`ResampledMetric.around`).
        """
        rates = np.stack([rate.around for _, rate in self.points])
        values = self.sign * np.stack([metric.around for metric, _ in self.points])
        defined = np.isfinite(np.concatenate([values[self.kept], rates[self.kept]])).all(axis=0).tolist()
        return [RateCurve(rates[:, n], values[:, n]) if defined[n] else None for n in range(len(defined))]


def rate_difference(curves: tuple[ResampledCurve, ResampledCurve], method: Method, of: Draw) -> tuple[Estimate, Delta]:
    """Return BD-rate in percent with its interval, which is symmetric in the logarithm of the rate, and its details.

    Args:
        curves: the curves of the two ladders; the first is the anchor.
        method: the interpolation method.
        of: how the resamples were drawn.
    """
    return _bjontegaard(curves, method, bd_rate, of, _log, _percent)


def quality_difference(
    curves: tuple[ResampledCurve, ResampledCurve], method: Method, of: Draw
) -> tuple[Estimate, Delta]:
    """Return BD-accuracy in the metric's unit with its symmetric interval, and its details.

    Args:
        curves: the curves of the two ladders; the first is the anchor.
        method: the interpolation method.
        of: how the resamples were drawn.
    """
    return _bjontegaard(curves, method, bd_quality, of, _identity, _identity)


def _bjontegaard(
    curves: tuple[ResampledCurve, ResampledCurve],
    method: Method,
    compute: Callable[[RateCurve, RateCurve, Method, bool], Delta],
    of: Draw,
    transform: Callable[[float], float],
    inverse: Callable[[float], float],
) -> tuple[Estimate, Delta]:
    """Return a Bjontegaard difference with its interval from the resamples.

    The points of the Pareto front are selected again in each resample, because the selection is as uncertain as the
    values.

    Args:
        curves: the curves of the two ladders.
        method: the interpolation method.
        compute: `bd_rate` or `bd_quality`.
        of: how the resamples were drawn.
        transform: converts a difference to the scale on which the interval is symmetric.
        inverse: the inverse of `transform`.
    """
    first, second = (curve.whole.only(curve.kept) for curve in curves)
    delta = compute(first, second, method, False)
    if delta.value is None:
        return Estimate(None, reason=delta.reason), delta
    if any(curve.unsure for curve in curves):
        return Estimate(delta.value, reason=TOO_FEW), delta
    drawn = []
    for a, b in zip(curves[0].resampled(), curves[1].resampled(), strict=True):
        value = None
        if a is not None and b is not None and (a.rates > 0).all() and (b.rates > 0).all():
            value = compute(a.only(pareto_front(a)), b.only(pareto_front(b)), method, True).value
        drawn.append(math.nan if value is None else transform(value))
    lost = float(np.mean(~np.isfinite(drawn)))
    if lost > UNDEFINED_ALLOWED:
        reason = f"no interval: in {lost:.0%} of the resamples too few points rise, or the curves share too little"
        return Estimate(delta.value, reason=reason), delta
    middle, (below, above) = transform(delta.value), Spread.of_scaled(np.array(drawn), of.groups, of.seed).reach()
    return Estimate(delta.value, inverse(middle - below), inverse(middle + above)), delta


def _log(percent: float) -> float:
    return math.log1p(percent / 100) if percent > -100 else math.nan


def _percent(log: float) -> float:
    return 100 * math.expm1(log)


def _identity(value: float) -> float:
    return value
