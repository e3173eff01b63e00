"""Mean performance under compression, and by how much two ladders differ in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.decide.estimate import TOO_FEW, Side, estimate_of, has_too_few, pairs
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import student
from harness.statistics.ratios import fieller

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.decide.estimate import Known
    from harness.results.cells import ResultCell

__all__ = ["MeanPerformance", "mean_difference", "means_of"]


@dataclass(frozen=True)
class MeanPerformance:
    """Performance under compression, as the corruption benchmarks define it (Michaelis et al. 2019).

    Args:
        levels: over which levels the mean is.
        mpc: mean performance under compression: of the metric, over the levels.
        rpc: relative: over the metric on uncompressed frames.
    """

    levels: tuple[float | None, ...]
    mpc: Estimate
    rpc: Estimate


def _mean(cells: Sequence[ResultCell], at: Known) -> tuple[float, NDArray[np.float64]]:
    drawn = [at[cell.facts["experiment"]][0] for cell in cells]
    return float(np.mean([one.value for one in drawn])), np.mean([one.around for one in drawn], axis=0)


def means_of(side: Side, cells: Sequence[ResultCell], at: Known, metric: str, freedom: int) -> MeanPerformance:
    """Of some levels of a side."""
    value, resampled = _mean(cells, at)
    levels = tuple(cell.facts["level"] for cell in cells)
    mpc = estimate_of(value, resampled, freedom)
    if side.baseline is None:
        return MeanPerformance(levels, mpc, Estimate(None, reason="there is no experiment on uncompressed frames"))
    clean = at[side.baseline.facts["experiment"]][0]
    if math.isnan(value):
        return MeanPerformance(levels, mpc, Estimate(None, reason=mpc.reason))
    if not clean.value or math.isnan(clean.value):
        return MeanPerformance(levels, mpc, Estimate(None, reason=f"{metric} on uncompressed frames is 0 or undefined"))
    both = np.stack([resampled, clean.around])
    if has_too_few(both.sum(axis=0)):
        return MeanPerformance(levels, mpc, Estimate(value / clean.value, reason=TOO_FEW))
    reach, covariance = student(freedom), np.cov(both[:, np.isfinite(both).all(axis=0)], ddof=1)
    if abs(clean.value) <= reach * math.sqrt(covariance[1, 1]):
        return MeanPerformance(
            levels, mpc, Estimate(None, reason=f"{metric} on uncompressed frames cannot be told from 0")
        )
    return MeanPerformance(levels, mpc, Estimate(value / clean.value, *fieller(value, clean.value, covariance, reach)))


def mean_difference(first: Side, second: Side, at: Known, sign: float, freedom: int) -> Estimate | None:
    shared = pairs(first, second)
    if not shared:
        return None
    (before, some), (after, others) = (_mean([pair[n] for pair in shared], at) for n in (0, 1))
    return estimate_of(sign * (after - before), sign * (others - some), freedom)
