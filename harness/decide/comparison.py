"""Compares two ladders on the same samples: at equal quality, at equal levels and over all levels.

All differences have paired 95% intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.decide.bjontegaard import Delta, Method
from harness.decide.deltas import ResampledCurve, quality_difference, rate_difference
from harness.decide.levels import LevelComparison, compare_levels
from harness.decide.means import MeanPerformance, mean_difference, means_of
from harness.decide.paired import Draw, Side, pairs
from harness.results.resampled import RATE
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.results.resampled import Resampler

__all__ = ["LadderComparison", "compare"]


@dataclass(frozen=True)
class LadderComparison:
    """The result of comparing two ladders (each is one codec at several levels).

    Args:
        first: the anchor of the comparison.
        second: the ladder that is compared with the anchor.
        metric: the metric by which the ladders are compared.
        higher_is_better: whether a larger value of the metric is better.
        method: the interpolation method for the Bjontegaard differences.
        used: for each ladder, the levels whose points were used for the Bjontegaard differences.
        unused: for each ladder, the levels that were left out, because a cheaper point is equal or better, or because
            the metric is undefined.
        rate: BD-rate in percent, with its interval; negative if the second ladder needs less rate.
        rate_delta: BD-rate with the overlap and the range of the two curves.
        quality: BD-accuracy in the metric's unit, with its interval; positive if the second ladder is better.
        quality_delta: BD-accuracy with the overlap and the range of the two curves, in bits per pixel.
        levels: the comparisons at equal levels; empty if the ladders have no common levels.
        means: for each ladder, the mean over the common levels; over all its levels if there are no common levels.
        mean_difference: by how much the second ladder is better in the mean over the common levels; None if there are
            no common levels.
        samples: the number of samples that everything was computed from.
        groups: the number of groups of these samples.
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
    levels: tuple[LevelComparison, ...]
    means: tuple[MeanPerformance, MeanPerformance]
    mean_difference: Estimate | None
    samples: int
    groups: int

    def range_of(self, delta: Delta) -> tuple[float, float] | None:
        """Return the range (low, high) that both curves cover; None if it is unknown.

        The range of BD-rate is in the metric's unit; the range of BD-accuracy is in bits per pixel.

        Args:
            delta: `rate_delta` or `quality_delta`.
        """
        if delta.low is None or delta.high is None:
            return None
        sign = -1.0 if delta is self.rate_delta and not self.higher_is_better else 1.0
        low, high = sorted((sign * delta.low, sign * delta.high))
        return low, high


def compare(first: Side, second: Side, metric: str, resampler: Resampler, method: Method = "akima") -> LadderComparison:
    """Compare two ladders that were tested on the same samples.

    Everything is computed from the samples that did not fail in any experiment of the two ladders. Both ladders have
    the same resamples, so the intervals are paired. The Bjontegaard differences are computed again on each resample,
    and the points are selected again on each resample. For the interval, BD-rates are converted to logarithms.

    Args:
        first: the anchor of the comparison.
        second: the ladder that is compared with the anchor.
        metric: a metric that all experiments have.
        resampler: resamples the metrics and rates of the experiments.
        method: the interpolation method for the Bjontegaard differences.

    Raises:
        ValueError: the ladders were not tested on the same samples.
    """
    sides = (first, second)
    up = next(cell.metrics[metric].higher_is_better for cell in first.ladder.cells if metric in cell.metrics)
    sign = 1.0 if up else -1.0
    groups = [[*side.ladder.cells, *([side.baseline] if side.baseline else [])] for side in sides]
    cells = [cell for group in groups for cell in group]
    resampled = resampler.together([*(([cell], metric) for cell in cells), *(([cell], RATE) for cell in cells)])
    sources = {one.replicates.source for one in resampled}
    if len(sources) > 1:
        raise ValueError("two ladders are compared on the same samples, groups and resamples")
    at = dict(
        zip(
            (cell.facts["experiment"] for cell in cells),
            zip(resampled, resampled[len(cells) :], strict=False),
            strict=False,
        )
    )
    a, b = (ResampledCurve([at[cell.facts["experiment"]] for cell in side.ladder.cells], sign) for side in sides)
    draw = Draw(max(2, resampled[0].groups), resampled[0].replicates.seed)
    rate, rate_delta = rate_difference((a, b), method, draw)
    quality, quality_delta = quality_difference((a, b), method, draw)
    shared = pairs(first, second)
    averaged = [[pair[n] for pair in shared] or side.ladder.cells for n, side in enumerate(sides)]
    means = tuple(means_of(side, group, at, metric, draw) for side, group in zip(sides, averaged, strict=True))
    names = [[cell.facts["level"] for cell in side.ladder.cells] for side in sides]
    return LadderComparison(
        first=first,
        second=second,
        metric=metric,
        higher_is_better=up,
        method=method,
        used=(_levels(names[0], a.kept), _levels(names[1], b.kept)),
        unused=(_levels(names[0], a.kept, False), _levels(names[1], b.kept, False)),
        rate=rate,
        rate_delta=rate_delta,
        quality=quality,
        quality_delta=quality_delta,
        levels=tuple(compare_levels(first, second, at, up)),
        means=(means[0], means[1]),
        mean_difference=mean_difference(first, second, at, sign, draw),
        samples=min(one.samples for one in resampled),
        groups=resampled[0].groups,
    )


def _levels(names: Sequence[float | None], kept: Sequence[int], used: bool = True) -> tuple[float | None, ...]:
    return tuple(name for place, name in enumerate(names) if (place in kept) == used)
