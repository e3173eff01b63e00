"""By what a level is judged against the baseline: resamples of its statistics, or the intervals that are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.decide.bound import Bound, bound_of, needed_groups, one_sided_quantile, zero_drop_bound
from harness.statistics.intervals import student

if TYPE_CHECKING:
    from harness.decide.limit import Limit
    from harness.results.cells import ResultCell
    from harness.results.resampled import Resampler

    Judge = Callable[[ResultCell, ResultCell, str, Limit, float], tuple[Bound, int, int]]
    """A level, the baseline, a metric that both have, the limit and the confidence -> the bound, on how many samples it
    stands, and on how many groups of them."""

__all__ = ["by_resampling", "by_stored_intervals"]


def by_resampling(resampler: Resampler) -> Judge:
    """On the samples that finished in both, resampled anew."""

    def judge(
        cell: ResultCell, baseline: ResultCell, metric: str, limit: Limit, confidence: float
    ) -> tuple[Bound, int, int]:
        own, base = resampler.together([([cell], metric), ([baseline], metric)])
        up = cell.metrics[metric].higher_is_better
        found = bound_of(own.replicates, base.replicates, metric, up, limit, confidence, cell.is_lossless)
        return found, own.samples, own.groups

    return judge


def by_stored_intervals(
    cell: ResultCell, baseline: ResultCell, metric: str, limit: Limit, confidence: float
) -> tuple[Bound, int, int]:
    """From the intervals of the paired drop and of the uncompressed value, without reading a sample.

    Of a relative limit r, the standard error of drop - r |value| is taken as the sum of both parts', which it never
    exceeds: what holds by it holds by resamples too. Whether a metric lies in 0-1, its direction and value tell.
    """
    own, base = cell.metrics[metric], baseline.metrics[metric]
    samples, groups = cell.facts["samples"] or 0, cell.facts["groups"] or 0
    drop = own.drop.value
    if drop is None or base.value is None:
        return Bound("unknown", reason="its drop is not known"), samples, groups
    share = drop / abs(base.value) if base.value else None
    told = Bound("unknown", drop=own.drop, share=share)
    if own.drop.high is None or groups < 2:
        return replace(told, reason="its drop has no interval"), samples, groups
    reach, t = student(groups - 1), one_sided_quantile(groups - 1, confidence)
    width = 0.0
    if limit.relative:
        if not base.value or base.metric.low is None or base.metric.high is None:
            return replace(told, reason="a share of a value that is 0, or has no interval"), samples, groups
        width = max(base.metric.high - base.value, base.value - base.metric.low)
        if abs(base.value) <= t * width / reach:
            return replace(told, reason="the uncompressed value cannot be told from 0: no share of it"), samples, groups
    if drop == own.drop.high == 0:
        if own.higher_is_better and 0 <= base.value <= 1 and not cell.is_lossless:
            return zero_drop_bound(told, groups, base.value, limit, confidence), samples, groups
        return replace(told, verdict="holds", value=0.0), samples, groups
    error = (own.drop.high - drop) / reach
    excess, value = drop - limit.allowed(base.value), drop + t * error
    if limit.relative:
        error += limit.value * width / reach
        value = (excess + t * error) / abs(base.value) + limit.value
    if excess + t * error <= 1e-9:
        return replace(told, verdict="holds", value=value), samples, groups
    if excess - t * error > 1e-9:
        return replace(told, verdict="fails", value=value), samples, groups
    needed = needed_groups(groups, excess, error, confidence) if excess < 0 else None
    return replace(told, verdict="undecided", value=value, groups_needed=needed), samples, groups
