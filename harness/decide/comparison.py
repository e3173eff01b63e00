"""Two ladders on the same samples: at equal quality, at equal level, over all levels, with paired intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.bootstrap import UNDEFINED_ALLOWED, student
from harness.decide.rates import Curve, Delta, Method, bd_quality, bd_rate, rising
from harness.drawn import RATE
from harness.ratios import fieller

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.drawn import Drawn, Draws
    from harness.ladders import Ladder
    from harness.result_cells import Cell

__all__ = ["AtLevel", "Comparison", "Estimate", "Means", "Side", "compare"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; what is not known is None, with the reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Side:
    """One of the two.

    Args:
        name: what it is called.
        ladder: its levels.
        baseline: the pretrained model on uncompressed frames; None where there is none.
    """

    name: str
    ladder: Ladder
    baseline: Cell | None


@dataclass(frozen=True)
class AtLevel:
    """Both at one level of one codec.

    Args:
        level: the level.
        first: the metric of the first.
        second: of the second.
        difference: by how much the second is better; positive is better, whatever the metric's direction.
        p: two-sided, of no difference (Student's).
        p_holm: adjusted for all the levels that are compared (Holm 1979).
    """

    level: float
    first: float
    second: float
    difference: Estimate
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Means:
    """Performance under compression, as the corruption benchmarks define it (Michaelis et al. 2019).

    Args:
        levels: over which levels the mean is.
        mpc: mean performance under compression: of the metric, over the levels.
        rpc: relative: over the metric on uncompressed frames.
    """

    levels: tuple[float | None, ...]
    mpc: Estimate
    rpc: Estimate


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Args:
        first: the anchor.
        second: what is compared with it.
        metric: by which.
        higher_is_better: its direction.
        method: of interpolation.
        used: the levels of each whose points were used for the Bjontegaard differences.
        unused: those that were left out, since a cheaper point matches or beats them.
        rate: BD-rate in percent, with its interval.
        rate_delta: the same, with overlap and range.
        quality: BD-accuracy in the metric's unit; positive: the second is better.
        quality_delta: the same, with overlap and range in bits per pixel.
        levels: at equal levels; empty where they have none in common.
        means: of each.
        mean_difference: by how much the second is better in the mean over the levels that both have; None without any.
        samples: on how many samples all of it stands.
        groups: on how many groups of them.
    """

    first: Side
    second: Side
    metric: str
    higher_is_better: bool
    method: Method
    used: tuple[tuple[float | None, ...], tuple[float | None, ...]]
    unused: tuple[tuple[float | None, ...], tuple[float | None, ...]]
    rate: Estimate
    rate_delta: Delta
    quality: Estimate
    quality_delta: Delta
    levels: tuple[AtLevel, ...]
    means: tuple[Means, Means]
    mean_difference: Estimate | None
    samples: int
    groups: int


def compare(first: Side, second: Side, metric: str, draws: Draws, method: Method = "akima") -> Comparison:
    """Compare two ladders that are on the same samples.

    Everything stands on the samples that finished in all experiments of both. The intervals come from the same
    resamples for both, so they are paired: Bjontegaard differences are computed anew on each resample, from the points
    that were chosen on all samples, BD-rates as logarithms.

    Args:
        first: the anchor.
        second: what is compared with it.
        metric: which all experiments have.
        draws: resamples them.
        method: of interpolation.

    Raises:
        ValueError: the two are not on the same samples.
    """
    sides = (first, second)
    up = next(cell.metrics[metric].higher_is_better for cell in first.ladder.cells if metric in cell.metrics)
    sign = 1.0 if up else -1.0
    groups = [[*side.ladder.cells, *([side.baseline] if side.baseline else [])] for side in sides]
    cells = [cell for group in groups for cell in group]
    found = draws.together([*(([cell], metric) for cell in cells), *(([cell], RATE) for cell in cells)])
    sources = {one.replicates.source for one in found[: len(cells)]}
    if len(sources) > 1:
        raise ValueError("two ladders are compared on the same samples, groups and resamples")
    at = dict(
        zip((cell.facts["experiment"] for cell in cells), zip(found, found[len(cells) :], strict=False), strict=False)
    )
    curves = [_Curves([at[cell.facts["experiment"]] for cell in side.ladder.cells], sign) for side in sides]
    kept = [rising(one.whole) for one in curves]
    freedom = max(1, found[0].groups - 1)
    chosen = [one.only(places) for one, places in zip(curves, kept, strict=True)]
    rate, rate_delta = _bjontegaard(chosen, method, bd_rate, freedom, _log, _percent)
    quality, quality_delta = _bjontegaard(chosen, method, bd_quality, freedom, _same, _same)
    means = tuple(_means(side, at, metric, freedom) for side in sides)
    names = [[cell.facts["level"] for cell in side.ladder.cells] for side in sides]
    return Comparison(
        first=first,
        second=second,
        metric=metric,
        higher_is_better=up,
        method=method,
        used=(_levels(names[0], kept[0]), _levels(names[1], kept[1])),
        unused=(_levels(names[0], kept[0], False), _levels(names[1], kept[1], False)),
        rate=rate,
        rate_delta=rate_delta,
        quality=quality,
        quality_delta=quality_delta,
        levels=tuple(_at_levels(first, second, at, sign, freedom)),
        means=(means[0], means[1]),
        mean_difference=_mean_difference(first, second, at, sign, freedom),
        samples=min(one.samples for one in found),
        groups=found[0].groups,
    )


class _Curves:
    """A ladder's curve on all samples and on each resample.

    Args:
        points: metric and rate of each level.
        sign: -1 where lower is better.
    """

    def __init__(self, points: Sequence[tuple[Drawn, Drawn]], sign: float) -> None:
        self.points, self.sign = list(points), sign
        self.whole = Curve(
            np.array([rate.value for _, rate in points]), sign * np.array([metric.value for metric, _ in points])
        )

    def only(self, kept: Sequence[int]) -> _Curves:
        """Some of its points."""
        return _Curves([self.points[n] for n in kept], self.sign)

    def resampled(self) -> list[Curve]:
        """One a resample, with the spread of the value on all groups."""
        if not self.points:
            return []
        rates = np.stack([rate.around for _, rate in self.points])
        values = self.sign * np.stack([metric.around for metric, _ in self.points])
        return [Curve(rates[:, n], values[:, n]) for n in range(rates.shape[1])]


def _bjontegaard(
    curves: Sequence[_Curves],
    method: Method,
    compute: Callable[[Curve, Curve, Method], Delta],
    freedom: int,
    to: Callable[[float], float],
    back: Callable[[float], float],
) -> tuple[Estimate, Delta]:
    """A difference, and its interval from the resamples; on the scale of `to`, from which `back` leads."""
    delta = compute(curves[0].whole, curves[1].whole, method)
    if delta.value is None:
        return Estimate(None, reason=delta.reason), delta
    drawn = []
    for one, other in zip(curves[0].resampled(), curves[1].resampled(), strict=True):
        whole = all(len(rising(curve)) == len(curve.rates) for curve in (one, other)) and (one.rates > 0).all()
        found = compute(one, other, method).value if whole and (other.rates > 0).all() else None
        drawn.append(math.nan if found is None else to(found))
    defined = np.array([value for value in drawn if math.isfinite(value)])
    lost = 1 - len(defined) / len(drawn)
    if lost > UNDEFINED_ALLOWED:
        reason = f"no interval: in {lost:.0%} of the resamples a curve does not rise, or the curves share too little"
        return Estimate(delta.value, reason=reason), delta
    middle, reach = to(delta.value), student(freedom) * float(np.std(defined, ddof=1))
    return Estimate(delta.value, back(middle - reach), back(middle + reach)), delta


def _log(percent: float) -> float:
    return math.log1p(percent / 100) if percent > -100 else math.nan


def _percent(log: float) -> float:
    return 100 * math.expm1(log)


def _same(value: float) -> float:
    return value


def _levels(names: Sequence[float | None], kept: Sequence[int], used: bool = True) -> tuple[float | None, ...]:
    return tuple(name for place, name in enumerate(names) if (place in kept) == used)


def _estimate(value: float, draws: NDArray[np.float64], freedom: int) -> Estimate:
    """From resamples that have the spread of the value."""
    if math.isnan(value):
        return Estimate(None, reason="undefined: no sample has anything of its kind")
    if np.isnan(draws).any():
        return Estimate(value, reason="no interval: undefined in some resamples, or one group of samples only")
    reach = student(freedom) * float(np.std(draws, ddof=1))
    return Estimate(value, value - reach, value + reach)


def _at_levels(
    first: Side, second: Side, at: dict[str, tuple[Drawn, Drawn]], sign: float, freedom: int
) -> list[AtLevel]:
    found = []
    for one, other in _pairs(first, second):
        before, after = at[one.facts["experiment"]][0], at[other.facts["experiment"]][0]
        difference = _estimate(sign * (after.value - before.value), sign * (after.around - before.around), freedom)
        p = _p_value(difference, freedom)
        found.append(AtLevel(one.facts["level"], before.value, after.value, difference, p))
    return _holm(found)


def _pairs(first: Side, second: Side) -> list[tuple[Cell, Cell]]:
    """The experiments at equal levels of one codec with the same name for its level."""
    if first.ladder.cells[0].facts["codec"] != second.ladder.cells[0].facts["codec"]:
        return []
    others = {(cell.facts["level"], cell.facts["level_name"]): cell for cell in second.ladder.cells}
    pairs = [(cell, others.get((cell.facts["level"], cell.facts["level_name"]))) for cell in first.ladder.cells]
    return [(cell, other) for cell, other in pairs if other is not None and cell.facts["level"] is not None]


def _p_value(difference: Estimate, freedom: int) -> float | None:
    from scipy.stats import t

    if difference.value is None or difference.high is None:
        return None
    error = (difference.high - difference.value) / student(freedom)
    if error == 0:
        return 1.0 if difference.value == 0 else 0.0
    return float(2 * t.sf(abs(difference.value) / error, freedom))


def _holm(found: Sequence[AtLevel]) -> list[AtLevel]:
    """With the p-values adjusted step by step: S. Holm, Scandinavian Journal of Statistics 6 (1979)."""
    tested = sorted((n for n, one in enumerate(found) if one.p is not None), key=lambda n: found[n].p or 0.0)
    adjusted, largest = {}, 0.0
    for rank, n in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * (found[n].p or 0.0)))
        adjusted[n] = largest
    return [replace(one, p_holm=adjusted.get(n)) for n, one in enumerate(found)]


def _mean(cells: Sequence[Cell], at: dict[str, tuple[Drawn, Drawn]]) -> tuple[float, NDArray[np.float64]]:
    drawn = [at[cell.facts["experiment"]][0] for cell in cells]
    return float(np.mean([one.value for one in drawn])), np.mean([one.around for one in drawn], axis=0)


def _means(side: Side, at: dict[str, tuple[Drawn, Drawn]], metric: str, freedom: int) -> Means:
    value, draws = _mean(side.ladder.cells, at)
    levels = tuple(cell.facts["level"] for cell in side.ladder.cells)
    mpc = _estimate(value, draws, freedom)
    if side.baseline is None:
        return Means(levels, mpc, Estimate(None, reason="there is no experiment on uncompressed frames"))
    clean = at[side.baseline.facts["experiment"]][0]
    if not clean.value or math.isnan(clean.value) or math.isnan(value):
        return Means(levels, mpc, Estimate(None, reason=f"{metric} on uncompressed frames is 0 or undefined"))
    if np.isnan(draws).any() or np.isnan(clean.around).any():
        return Means(levels, mpc, Estimate(value / clean.value, reason=mpc.reason or "no interval"))
    reach, covariance = student(freedom), np.cov(draws, clean.around, ddof=1)
    if abs(clean.value) <= reach * math.sqrt(covariance[1, 1]):
        return Means(levels, mpc, Estimate(None, reason=f"{metric} on uncompressed frames cannot be told from 0"))
    return Means(levels, mpc, Estimate(value / clean.value, *fieller(value, clean.value, covariance, reach)))


def _mean_difference(
    first: Side, second: Side, at: dict[str, tuple[Drawn, Drawn]], sign: float, freedom: int
) -> Estimate | None:
    pairs = _pairs(first, second)
    if not pairs:
        return None
    (before, some), (after, others) = (_mean([pair[n] for pair in pairs], at) for n in (0, 1))
    return _estimate(sign * (after - before), sign * (others - some), freedom)
