"""The mean performance of a ladder over its compression levels, and the difference between two ladders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.decide.paired import TOO_FEW, Draw, Side, estimate_of, has_too_few, pairs
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import student
from harness.statistics.ratios import fieller

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.decide.paired import Known
    from harness.results.cells import ResultCell

__all__ = ["MeanPerformance", "mean_difference", "means_of"]


@dataclass(frozen=True)
class MeanPerformance:
    """The performance under compression, defined as in corruption benchmarks (Michaelis et al. 2019).

    Args:
        levels: the levels that the mean is computed over.
        mpc: the mean performance under compression: the mean of the metric over the levels.
        rpc: the relative performance under compression: `mpc` divided by the metric on uncompressed frames.
    """

    levels: tuple[float | None, ...]
    mpc: Estimate
    rpc: Estimate


def _mean(cells: Sequence[ResultCell], at: Known) -> tuple[float, NDArray[np.float64]]:
    metrics = [at[cell.facts["experiment"]][0] for cell in cells]
    return float(np.mean([one.value for one in metrics])), np.mean([one.around for one in metrics], axis=0)


def _bounded(cells: Sequence[ResultCell], at: Known) -> bool:
    """Return whether the metric of the experiments lies between 0 and 1."""
    metrics = [at[cell.facts["experiment"]][0] for cell in cells]
    return all(metric.metric in metric.replicates.ratios for metric in metrics)


def means_of(side: Side, cells: Sequence[ResultCell], at: Known, metric: str, of: Draw) -> MeanPerformance:
    """Return the mean performance of a ladder over some of its levels, absolute and relative.

    Args:
        side: the ladder with its baseline.
        cells: the experiments at the levels.
        at: the metric and the rate of each experiment.
        metric: the metric's name.
        of: how the resamples were drawn.
    """
    value, resampled = _mean(cells, at)
    levels = tuple(cell.facts["level"] for cell in cells)
    mpc = estimate_of(value, resampled, of, _bounded(cells, at))
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
    reach, covariance = student(of.freedom), np.cov(both[:, np.isfinite(both).all(axis=0)], ddof=1)
    if abs(clean.value) <= reach * math.sqrt(covariance[1, 1]):
        return MeanPerformance(
            levels, mpc, Estimate(None, reason=f"{metric} on uncompressed frames cannot be told from 0")
        )
    return MeanPerformance(levels, mpc, Estimate(value / clean.value, *fieller(value, clean.value, covariance, reach)))


def mean_difference(first: Side, second: Side, at: Known, sign: float, of: Draw) -> Estimate | None:
    """Return by how much the second ladder is better in the mean over the common levels; None if there are none.

    Args:
        first: the anchor of the comparison.
        second: the ladder that is compared with the anchor.
        at: the metric and the rate of each experiment.
        sign: 1 if a higher metric is better, -1 if a lower one is better.
        of: how the resamples were drawn.
    """
    shared = pairs(first, second)
    if not shared:
        return None
    (before, resampled_before), (after, resampled_after) = (_mean([pair[n] for pair in shared], at) for n in (0, 1))
    bounded = _bounded([cell for pair in shared for cell in pair], at)
    return estimate_of(sign * (after - before), sign * (resampled_after - resampled_before), of, bounded)
