"""Functions that test a level's drop against a limit, from resampled statistics or from the stored intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.decide.within_limit import Bound, bound_of, needed_groups, one_sided_quantile, zero_drop_bound
from harness.statistics.intervals import student

if TYPE_CHECKING:
    from harness.decide.limit import Limit
    from harness.results.cells import ResultCell
    from harness.results.resampled import Resampler

    Judge = Callable[[ResultCell, ResultCell, str, Limit, float], tuple[Bound, int, int]]
    """A function that tests the drop at a level against a limit.

    Its arguments are the experiment at the level, the baseline, a metric that both have, the limit and the confidence.
    It returns the bound, the number of samples that it was computed from, and the number of their groups."""

__all__ = ["by_resampling", "by_stored_intervals"]


def by_resampling(resampler: Resampler) -> Judge:
    """Return a function that tests a level's drop against a limit, by resampling.

    It uses the samples that failed neither in the experiment at the level nor in the baseline.
    """

    def judge(
        cell: ResultCell, baseline: ResultCell, metric: str, limit: Limit, confidence: float
    ) -> tuple[Bound, int, int]:
        level, base = resampler.together([([cell], metric), ([baseline], metric)])
        up = cell.metrics[metric].higher_is_better
        bound = bound_of(level.replicates, base.replicates, metric, up, limit, confidence, cell.is_lossless)
        return bound, level.samples, level.groups

    return judge


def by_stored_intervals(
    cell: ResultCell, baseline: ResultCell, metric: str, limit: Limit, confidence: float
) -> tuple[Bound, int, int]:
    """Test whether a metric's drop at a compression level stays within a limit, without reading any samples.

    The test uses the stored intervals of the drop and of the uncompressed value. For a relative limit r, the sum of the
    standard errors of the drop and of r |value| replaces the standard error of drop - r |value|, which is never larger.
    So a level that holds by this test also holds by resampling, except for shares of right frames in groups: their
    bound assumes more correlation inside a group than their interval. A metric is assumed to lie in 0-1 if higher is
    better and its uncompressed value lies in 0-1.
    """
    measured, base = cell.metrics[metric], baseline.metrics[metric]
    samples, groups = cell.facts["samples"] or 0, cell.facts["groups"] or 0
    drop = measured.drop.value
    if drop is None or base.value is None:
        return Bound("unknown", reason="its drop is not known"), samples, groups
    share = drop / abs(base.value) if base.value else None
    bound = Bound("unknown", drop=measured.drop, share=share)
    if measured.drop.high is None or groups < 2:
        return replace(bound, reason="its drop has no interval"), samples, groups
    two_sided, t = student(groups - 1), one_sided_quantile(groups - 1, confidence)
    width = 0.0
    if limit.relative:
        if not base.value or base.metric.low is None or base.metric.high is None:
            return replace(bound, reason="a share of a value that is 0, or has no interval"), samples, groups
        width = max(base.metric.high - base.value, base.value - base.metric.low)
        if abs(base.value) <= t * width / two_sided:
            reason = "the uncompressed value cannot be told from 0: no share of it"
            return replace(bound, reason=reason), samples, groups
    if drop == measured.drop.high == 0:
        if measured.higher_is_better and 0 <= base.value <= 1 and not cell.is_lossless:
            return zero_drop_bound(bound, groups, base.value, limit, confidence), samples, groups
        return replace(bound, verdict="holds", value=0.0, unmoved=True), samples, groups
    low = measured.drop.low if measured.drop.low is not None else -measured.drop.high
    bound = replace(bound, unmoved=drop == 0 and low == -measured.drop.high)
    error, below = (measured.drop.high - drop) / two_sided, (drop - low) / two_sided
    excess, value = drop - limit.allowed(base.value), drop + t * error
    if limit.relative:
        error, below = error + limit.value * width / two_sided, below + limit.value * width / two_sided
        value = (excess + t * error) / abs(base.value) + limit.value
    if excess + t * error <= 1e-9:
        return replace(bound, verdict="holds", value=value), samples, groups
    if excess - t * below > 1e-9:
        return replace(bound, verdict="fails", value=value), samples, groups
    needed = needed_groups(groups, excess, error, confidence) if excess < 0 else None
    return replace(bound, verdict="undecided", value=value, groups_needed=needed), samples, groups
