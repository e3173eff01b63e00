"""Two ladders on the same samples: at equal quality, at equal level, over all levels, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.decide.deltas import ResampledCurve, quality_difference, rate_difference
from harness.decide.estimate import Side, pairs
from harness.decide.levels import LevelComparison, compare_levels
from harness.decide.means import MeanPerformance, mean_difference, means_of
from harness.decide.rates import Delta, Method
from harness.results.resampled import RATE
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.results.resampled import Resampler

__all__ = ["LadderComparison", "compare"]


@dataclass(frozen=True)
class LadderComparison:
    """What came of it.

    Args:
        first: the anchor.
        second: what is compared with it.
        metric: by which.
        higher_is_better: its direction.
        method: of interpolation.
        used: the levels of each whose points were used for the Bjontegaard differences.
        unused: those that were left out: a cheaper point matches or beats them, or the metric is undefined.
        rate: BD-rate in percent, with its interval.
        rate_delta: the same, with overlap and range.
        quality: BD-accuracy in the metric's unit; positive: the second is better.
        quality_delta: the same, with overlap and range in bits per pixel.
        levels: at equal levels; empty where they have none in common.
        means: of each, over the levels that both have; over all its own where they have none in common.
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
    levels: tuple[LevelComparison, ...]
    means: tuple[MeanPerformance, MeanPerformance]
    mean_difference: Estimate | None
    samples: int
    groups: int

    def range_of(self, delta: Delta) -> tuple[float, float] | None:
        """The range that both curves cover, low to high: of BD-rate in the metric, of BD-accuracy in bits per pixel."""
        if delta.low is None or delta.high is None:
            return None
        sign = -1.0 if delta is self.rate_delta and not self.higher_is_better else 1.0
        low, high = sorted((sign * delta.low, sign * delta.high))
        return low, high


def compare(first: Side, second: Side, metric: str, resampler: Resampler, method: Method = "akima") -> LadderComparison:
    """Compare two ladders that are on the same samples.

    Everything stands on the samples that finished in all experiments of both. The intervals come from the same
    resamples for both, so they are paired: Bjontegaard differences are computed anew on each resample, from points that
    are chosen anew on it, BD-rates as logarithms.

    Args:
        first: the anchor.
        second: what is compared with it.
        metric: which all experiments have.
        resampler: resamples them.
        method: of interpolation.

    Raises:
        ValueError: the two are not on the same samples.
    """
    sides = (first, second)
    up = next(cell.metrics[metric].higher_is_better for cell in first.ladder.cells if metric in cell.metrics)
    sign = 1.0 if up else -1.0
    groups = [[*side.ladder.cells, *([side.baseline] if side.baseline else [])] for side in sides]
    cells = [cell for group in groups for cell in group]
    found = resampler.together([*(([cell], metric) for cell in cells), *(([cell], RATE) for cell in cells)])
    sources = {one.replicates.source for one in found}
    if len(sources) > 1:
        raise ValueError("two ladders are compared on the same samples, groups and resamples")
    at = dict(
        zip((cell.facts["experiment"] for cell in cells), zip(found, found[len(cells) :], strict=False), strict=False)
    )
    a, b = (ResampledCurve([at[cell.facts["experiment"]] for cell in side.ladder.cells], sign) for side in sides)
    freedom = max(1, found[0].groups - 1)
    rate, rate_delta = rate_difference((a, b), method, freedom)
    quality, quality_delta = quality_difference((a, b), method, freedom)
    shared = pairs(first, second)
    over = [[pair[n] for pair in shared] or side.ladder.cells for n, side in enumerate(sides)]
    means = tuple(means_of(side, some, at, metric, freedom) for side, some in zip(sides, over, strict=True))
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
        levels=tuple(compare_levels(first, second, at, sign, freedom)),
        means=(means[0], means[1]),
        mean_difference=mean_difference(first, second, at, sign, freedom),
        samples=min(one.samples for one in found),
        groups=found[0].groups,
    )


def _levels(names: Sequence[float | None], kept: Sequence[int], used: bool = True) -> tuple[float | None, ...]:
    return tuple(name for place, name in enumerate(names) if (place in kept) == used)
