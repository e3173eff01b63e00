"""Bjontegaard differences for a task's metric: the difference in rate at equal quality, and in quality at equal rate.

The definition is in G. Bjontegaard, "Calculation of average PSNR differences between RD-curves" (ITU-T VCEG-M33, 2001).
The library `bjontegaard` computes the differences; the metric takes the place of PSNR and is negated if lower is
better. The default interpolation is Akima's (Herglotz et al. 2022). Standardisation uses PCHIP.

Only the points on the Pareto front of a curve are used: points for which no point with the same or a lower rate has the
same or a better quality. So quality rises strictly with rate. In these cases there is no value but a reason:

- A curve has fewer than four points.
- The curves share less than half of the range that they cover together. For BD-rate this is the range of the metric,
  for BD-accuracy the range of the rate.
- An interpolated curve leaves the range of its points by far. Akima's interpolation can do so where a steep part of the
  curve ends in a plateau.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST", "LEAST_OVERLAP", "Delta", "RateCurve", "bd_quality", "bd_rate", "overlap", "pareto_front"]

Method = Literal["akima", "pchip"]
Interpolator = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]

FEWEST = 4
"""The smallest number of points that a curve must have."""
LEAST_OVERLAP = 0.5
"""The smallest overlap of two curves: the range that both cover, divided by the range that they cover together."""
LEEWAY = 0.1
"""How far an interpolated curve may leave the range of its points, as a fraction of this range."""


@dataclass(frozen=True)
class RateCurve:
    """A curve of quality against rate, with N points.

    Args:
        rates: float64[N]: the rates, above 0.
        qualities: float64[N]: the qualities; higher is better.
    """

    rates: NDArray[np.float64]
    qualities: NDArray[np.float64]

    def only(self, kept: Sequence[int]) -> RateCurve:
        """Return the curve with only some of its points.

        Args:
            kept: the indices of the points.
        """
        return RateCurve(self.rates[list(kept)], self.qualities[list(kept)])


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard difference of a second curve against a first curve.

    Args:
        value: the difference; None if it cannot be computed.
        reason: why it cannot be computed.
        overlap: the range that both curves cover, divided by the range that they cover together; None if a curve has
            too few points.
        low: the lower end of the range that both curves cover: in the metric's unit for BD-rate, in bits per pixel for
            BD-accuracy.
        high: the upper end of this range.
    """

    value: float | None
    reason: str | None = None
    overlap: float | None = None
    low: float | None = None
    high: float | None = None


def pareto_front(curve: RateCurve) -> list[int]:
    """Return the indices of the points on the Pareto front, by increasing rate.

    No point with the same or a lower rate has the same or a better quality.

    >>> pareto_front(RateCurve(np.array([4.0, 2.0, 1.0, 0.5]), np.array([0.7, 0.72, 0.6, 0.6])))
    [3, 1]
    """
    order = sorted(range(len(curve.rates)), key=lambda n: (curve.rates[n], -curve.qualities[n]))
    kept: list[int] = []
    for n in order:
        if math.isfinite(curve.qualities[n]) and (not kept or curve.qualities[n] > curve.qualities[kept[-1]]):
            kept.append(n)
    return kept


def bd_rate(first: RateCurve, second: RateCurve, method: Method = "akima", anyhow: bool = False) -> Delta:
    """Return the mean difference in rate at equal quality, in percent of the first curve's rate.

    It is negative if the second curve needs less rate. In both curves, quality must rise with rate (`pareto_front`).

    Args:
        first: the curve of the anchor.
        second: the curve that is compared with the anchor.
        method: the interpolation method.
        anyhow: return a value even if the interpolation leaves the range of the points. Resamples use this, because
            their variation is to be measured.
    """
    import bjontegaard

    return _delta(first, second, first.qualities, second.qualities, method, bjontegaard.bd_rate, anyhow)


def bd_quality(first: RateCurve, second: RateCurve, method: Method = "akima", anyhow: bool = False) -> Delta:
    """Return the mean difference in quality at equal rate, over a logarithmic rate axis.

    It is positive if the second curve is better. The arguments are those of `bd_rate`.
    """
    import bjontegaard

    delta = _delta(first, second, np.log10(first.rates), np.log10(second.rates), method, bjontegaard.bd_psnr, anyhow)
    if delta.low is None or delta.high is None:
        return delta
    return Delta(delta.value, delta.reason, delta.overlap, 10**delta.low, 10**delta.high)


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the overlap of two sets of values: (low, high, share).

    `low` and `high` are the ends of the range that both cover. `share` is the length of this range divided by the
    length of the range that they cover together; 0 if there is no overlap.
    """
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    whole = max(first.max(), second.max()) - min(first.min(), second.min())
    return float(low), float(high), float(max(0.0, high - low) / whole) if whole > 0 else 0.0


def _delta(
    first: RateCurve,
    second: RateCurve,
    first_axis: NDArray[np.float64],
    second_axis: NDArray[np.float64],
    method: Method,
    compute: Callable[..., tuple[float, Interpolator, Interpolator]],
    anyhow: bool,
) -> Delta:
    """Compute a Bjontegaard difference, or the reason why it cannot be computed.

    Args:
        first: the curve of the anchor.
        second: the curve that is compared with the anchor.
        first_axis: the values of the first curve's points on the axis of integration: qualities, or logarithms of
            rates.
        second_axis: the values of the second curve's points on this axis.
        method: the interpolation method.
        compute: the function of the library `bjontegaard`.
        anyhow: return a value even if the interpolation leaves the range of the points.
    """
    counts = (len(first_axis), len(second_axis))
    if min(counts) < FEWEST:
        return Delta(
            None, f"{counts[0]} and {counts[1]} points that rise with the rate: at least {FEWEST} each are needed"
        )
    low, high, share = overlap(first_axis, second_axis)
    if share < LEAST_OVERLAP:
        shared = "nothing" if share == 0 else f"{share:.0%}"
        return Delta(
            None, f"the curves share {shared} of their range; at least {LEAST_OVERLAP:.0%} is asked for", share
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of overlaps below 75%; the overlap is part of the result
        value, *curves = compute(
            *(first.rates, first.qualities, second.rates, second.qualities),
            method=method,
            require_matching_points=False,
            interpolators=True,
        )
    steps = np.linspace(low, high, 200)
    axes = (first_axis, second_axis)
    if not anyhow and any(_strays(curve, points, steps) for curve, points in zip(curves, axes, strict=True)):
        reason = "Akima's interpolation leaves the points by far; PCHIP's (`--method pchip`) does not"
        return Delta(None, reason, share, low, high)
    if not math.isfinite(value):
        return Delta(None, "the interpolated curves give no finite number", share, low, high)
    return Delta(float(value), None, share, low, high)


def _strays(curve: Interpolator, points: NDArray[np.float64], steps: NDArray[np.float64]) -> bool:
    """Return whether an interpolated curve leaves the range of its values at the measured points by more than `LEEWAY`.

    Args:
        curve: the interpolated curve.
        points: float64[N]: the positions of the measured points.
        steps: float64[M]: the positions at which the curve is checked.
    """
    known, between = curve(points), curve(steps)
    leeway = LEEWAY * float(known.max() - known.min())
    return bool(between.min() < known.min() - leeway or between.max() > known.max() + leeway)
