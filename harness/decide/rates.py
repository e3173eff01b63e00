"""Bjontegaard's measures for a task's metric: how much less rate at equal quality, how much more quality at equal rate.

G. Bjontegaard, "Calculation of average PSNR differences between RD-curves" (ITU-T VCEG-M33, 2001), computed by the
library `bjontegaard`, with the metric in the place of PSNR (negated where lower is better). Akima's interpolation is
the default (Herglotz et al. 2022), PCHIP is what standardisation uses.

The rule for curves that do not rise: only points that no cheaper (or equally cheap) point matches or beats are used, so
that quality rises strictly with rate. Fewer than four points, or curves that share less than half of the range of the
metric (of the rate) that they cover together, give no number, but the reason. Nor does a curve whose interpolation
leaves its own points by far, as Akima's does where a steep stretch ends in a plateau.
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
"""Points of a curve, at least."""
LEAST_OVERLAP = 0.5
"""The share of the range that both curves cover together which they have to share."""
LEEWAY = 0.1
"""How far beyond its own points a curve may be interpolated, in parts of their range."""


@dataclass(frozen=True)
class RateCurve:
    """Quality against rate.

    Args:
        rates: float64[N], above 0.
        qualities: float64[N], higher is better.
    """

    rates: NDArray[np.float64]
    qualities: NDArray[np.float64]

    def only(self, kept: Sequence[int]) -> RateCurve:
        """Some of its points."""
        return RateCurve(self.rates[list(kept)], self.qualities[list(kept)])


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard difference of a second curve against a first.

    Args:
        value: None where it cannot be told.
        reason: why not.
        overlap: the share of the joint range that both curves cover; None where a curve has too few points.
        low: of the range that both cover, in metric (of a BD-rate) or bits per pixel.
        high: likewise.
    """

    value: float | None
    reason: str | None = None
    overlap: float | None = None
    low: float | None = None
    high: float | None = None


def pareto_front(curve: RateCurve) -> list[int]:
    """The points that no cheaper or equally cheap point matches or beats, by rising rate: numbers into the curve.

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
    """The mean difference in rate at equal quality, in percent of the first curve's; negative: the second needs less.

    Args:
        first: the anchor; rising.
        second: likewise.
        method: of interpolation.
        anyhow: also where the interpolation leaves the points, as for resamples, whose spread it is to show.
    """
    import bjontegaard

    return _delta(first, second, first.qualities, second.qualities, method, bjontegaard.bd_rate, anyhow)


def bd_quality(first: RateCurve, second: RateCurve, method: Method = "akima", anyhow: bool = False) -> Delta:
    """The mean difference in quality at equal rate (on a logarithmic axis); positive: the second is better."""
    import bjontegaard

    found = _delta(first, second, np.log10(first.rates), np.log10(second.rates), method, bjontegaard.bd_psnr, anyhow)
    if found.low is None or found.high is None:
        return found
    return Delta(found.value, found.reason, found.overlap, 10**found.low, 10**found.high)


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float, float]:
    """The range that both cover, and its share of the range that they cover together; 0 where they share nothing."""
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    whole = max(first.max(), second.max()) - min(first.min(), second.min())
    return float(low), float(high), float(max(0.0, high - low) / whole) if whole > 0 else 0.0


def _delta(
    first: RateCurve,
    second: RateCurve,
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    method: Method,
    compute: Callable[..., tuple[float, Interpolator, Interpolator]],
    anyhow: bool,
) -> Delta:
    """Args:
    one: along what the first curve is integrated.
    other: likewise, the second.
    """
    counts = (len(one), len(other))
    if min(counts) < FEWEST:
        return Delta(
            None, f"{counts[0]} and {counts[1]} points that rise with the rate: at least {FEWEST} each are needed"
        )
    low, high, share = overlap(one, other)
    if share < LEAST_OVERLAP:
        shared = "nothing" if share == 0 else f"{share:.0%}"
        return Delta(
            None, f"the curves share {shared} of their range; at least {LEAST_OVERLAP:.0%} is asked for", share
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of overlaps below 75%; the overlap is told
        value, *curves = compute(
            *(first.rates, first.qualities, second.rates, second.qualities),
            method=method,
            require_matching_points=False,
            interpolators=True,
        )
    steps = np.linspace(low, high, 200)
    if not anyhow and any(_strays(found, points, steps) for found, points in zip(curves, (one, other), strict=True)):
        reason = "Akima's interpolation leaves the points by far; PCHIP's (`--method pchip`) does not"
        return Delta(None, reason, share, low, high)
    if not math.isfinite(value):
        return Delta(None, "the interpolated curves give no finite number", share, low, high)
    return Delta(float(value), None, share, low, high)


def _strays(curve: Interpolator, points: NDArray[np.float64], steps: NDArray[np.float64]) -> bool:
    """Whether an interpolated curve leaves the range that it has at its points.

    Args:
        points: float64[N], where it was measured.
        steps: float64[M], where it is integrated.
    """
    known, between = curve(points), curve(steps)
    leeway = LEEWAY * float(known.max() - known.min())
    return bool(between.min() < known.min() - leeway or between.max() > known.max() + leeway)
