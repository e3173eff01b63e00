"""Bjontegaard's differences of two ladders, with intervals from their resamples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.decide.estimate import TOO_FEW, has_too_few
from harness.decide.rates import Delta, Method, RateCurve, bd_quality, bd_rate, pareto_front
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import UNDEFINED_ALLOWED, student

if TYPE_CHECKING:
    from harness.results.resampled import ResampledMetric

__all__ = ["ResampledCurve", "quality_difference", "rate_difference"]


class ResampledCurve:
    """A ladder's curve on all samples and on each resample.

    Args:
        points: metric and rate of each level.
        sign: -1 where lower is better.
    """

    def __init__(self, points: Sequence[tuple[ResampledMetric, ResampledMetric]], sign: float) -> None:
        self.points, self.sign = list(points), sign
        self.whole = RateCurve(
            np.array([rate.value for _, rate in points]), sign * np.array([metric.value for metric, _ in points])
        )

    @cached_property
    def kept(self) -> list[int]:
        """The points that no cheaper one matches or beats, by rising rate: numbers into the points."""
        return pareto_front(self.whole)

    @property
    def unsure(self) -> bool:
        """Whether a point that is kept is undefined in too many resamples."""
        return any(has_too_few(drawn.around) for n in self.kept for drawn in self.points[n])

    def resampled(self) -> list[RateCurve | None]:
        """One a resample, with the spread of the value on all groups; None where a point that is kept is undefined."""
        rates = np.stack([rate.around for _, rate in self.points])
        values = self.sign * np.stack([metric.around for metric, _ in self.points])
        whole = np.isfinite(np.concatenate([values[self.kept], rates[self.kept]])).all(axis=0).tolist()
        return [RateCurve(rates[:, n], values[:, n]) if whole[n] else None for n in range(len(whole))]


def rate_difference(
    curves: tuple[ResampledCurve, ResampledCurve], method: Method, freedom: int
) -> tuple[Estimate, Delta]:
    """BD-rate in percent; its interval is symmetric in the logarithm.

    Args:
        curves: both.
        method: of interpolation.
        freedom: groups less one.
    """
    return _bjontegaard(curves, method, bd_rate, freedom, _log, _percent)


def quality_difference(
    curves: tuple[ResampledCurve, ResampledCurve], method: Method, freedom: int
) -> tuple[Estimate, Delta]:
    """BD-accuracy, likewise."""
    return _bjontegaard(curves, method, bd_quality, freedom, _same, _same)


def _bjontegaard(
    curves: tuple[ResampledCurve, ResampledCurve],
    method: Method,
    compute: Callable[[RateCurve, RateCurve, Method, bool], Delta],
    freedom: int,
    to: Callable[[float], float],
    back: Callable[[float], float],
) -> tuple[Estimate, Delta]:
    """A difference, and its interval from the resamples; on the scale of `to`, from which `back` leads.

    Of each resample the points are chosen anew: which ones a cheaper one beats is as uncertain as their values.
    """
    first, second = (curve.whole.only(curve.kept) for curve in curves)
    delta = compute(first, second, method, False)
    if delta.value is None:
        return Estimate(None, reason=delta.reason), delta
    if any(curve.unsure for curve in curves):
        return Estimate(delta.value, reason=TOO_FEW), delta
    drawn = []
    for one, other in zip(curves[0].resampled(), curves[1].resampled(), strict=True):
        found = None
        if one is not None and other is not None and (one.rates > 0).all() and (other.rates > 0).all():
            found = compute(one.only(pareto_front(one)), other.only(pareto_front(other)), method, True).value
        drawn.append(math.nan if found is None else to(found))
    defined = np.array([value for value in drawn if math.isfinite(value)])
    lost = 1 - len(defined) / len(drawn)
    if lost > UNDEFINED_ALLOWED:
        reason = f"no interval: in {lost:.0%} of the resamples too few points rise, or the curves share too little"
        return Estimate(delta.value, reason=reason), delta
    middle, reach = to(delta.value), student(freedom) * float(np.std(defined, ddof=1))
    return Estimate(delta.value, back(middle - reach), back(middle + reach)), delta


def _log(percent: float) -> float:
    return math.log1p(percent / 100) if percent > -100 else math.nan


def _percent(log: float) -> float:
    return 100 * math.expm1(log)


def _same(value: float) -> float:
    return value
