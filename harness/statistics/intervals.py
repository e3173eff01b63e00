"""Confidence intervals that are computed from stored statistics, without running a model again.

The groups of samples are resampled, because the samples of one drive or person are not independent. Each of the R
resamples contains two thirds of the groups, drawn without replacement, and every metric is computed again on each
resample. The standard error is the standard deviation of these values, scaled from the size of a resample to the size
of the whole dataset. This method is the delete-d jackknife with random subsets (Shao and Wu, Annals of Statistics 17,
1989), also known as the m-out-of-n bootstrap without replacement (Politis and Romano 1994). The interval is the value
plus and minus the standard error times Student's quantile, and wider where few groups decide the error
(`harness.statistics.spread`).

Of a metric that is a share of right frames (`Task.hits`), the interval comes from the counts of right and wrong frames
(`harness.statistics.proportions`).

Some metrics are biased on small datasets, for example average precision. An estimate of this bias is added to the
error of a value, but not to the error of a difference.

The usual bootstrap is not used. It draws with replacement, which repeats images, and the average precision of rare
classes is not a smooth function of the data. So its percentile, basic and BCa intervals contain the true value too
rarely; `docs/explanation/statistics.md` describes the simulation that shows it.

The resamples depend only on the seed and the groups. Two experiments on the same samples get the same resamples, so the
interval of their difference is *paired*.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM, Estimate
from harness.statistics.proportions import Hits, share_interval
from harness.statistics.quantiles import CONFIDENCE, student
from harness.statistics.reduced import checked
from harness.statistics.resamples import influences, size_bias, standard_error, subset, subsets
from harness.statistics.spread import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics, Task

__all__ = [
    "CONFIDENCE",
    "GROUPS_FROM",
    "HOLDS_FROM",
    "UNDEFINED_ALLOWED",
    "Replicates",
    "interval",
    "replicates",
    "size_bias",
    "standard_error",
    "student",
    "subset",
    "subsets",
    "why_no_interval",
]

UNDEFINED_ALLOWED = 0.05
"""The share of resamples in which a metric may be undefined. If it is undefined in more, it gets no interval."""

_CHUNK = 250
"""The largest number of resamples that are reduced together."""
_CHUNK_BYTES = 1 << 28
"""The maximum size in bytes of the weights of the resamples that are reduced together."""


@dataclass(frozen=True)
class Replicates:
    """The metrics of one experiment on all its samples and on each resample.

    Args:
        values: metric -> its value on all samples; NaN if undefined.
        resampled: metric -> its values on the R resamples, float64[R]; NaN where undefined. Only metrics that get an
            interval are included.
        groups: the number of groups that were resampled (G).
        ratios: the names of the metrics that lie in 0-1 and whose best value is 1. Their intervals are cut off at 0
            and 1.
        source: a digest of the resampling. It is equal for two experiments with the same samples in the same order,
            the same groups and the same resamples.
        seed: the seed of the resamples; None if they were not drawn by `subsets`. The influences of the groups are then
            unknown.
        hits: metric -> the right frames, for metrics that are a share of right frames.
        certain: whether the values are exact by definition, because a model is compared with itself.
        own: metric -> the number of groups that have anything of its kind, for metrics of a single class.
        infinite: metric -> its value on all samples, if the task gave it as infinite. Such a value, also on a resample,
            can be in no table and no difference; it is undefined in `values` and `resampled`.
    """

    values: Mapping[str, float]
    resampled: Mapping[str, NDArray[np.float64]] = field(repr=False)
    groups: int
    ratios: frozenset[str]
    source: str
    seed: int | None = None
    hits: Mapping[str, Hits] = field(default_factory=dict, repr=False)
    certain: bool = False
    own: Mapping[str, int] = field(default_factory=dict, repr=False)
    infinite: Mapping[str, float] = field(default_factory=dict, repr=False)

    def why_undefined(self, metric: str) -> str:
        """Return why a metric has no value on all samples."""
        if metric in self.infinite:
            return f"undefined: it is infinite ({self.infinite[metric]})"
        return "undefined: no sample has anything of its kind"

    def groups_of(self, metric: str) -> int:
        """Return the number of groups that a metric depends on."""
        return self.own.get(metric, self.groups)

    @cached_property
    def influences(self) -> Mapping[str, NDArray[np.float64]]:
        """The influence of each group on each metric (`resamples.influences`); empty if they are unknown."""
        return {} if self.seed is None or self.groups < 2 else influences(self.resampled, self.groups, self.seed)


def replicates(
    task: Task,
    statistics: Sequence[Statistics],
    groups: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
    threads: int | None = None,
    only: Collection[str] | None = None,
) -> Replicates:
    """Compute the task's metrics on all frames and on R resamples.

    Args:
        task: the task that reduces the statistics to metrics.
        statistics: the statistics of every scored frame, in dataset order.
        groups: for every scored frame, the group of its sample.
        resamples: the number of resamples (R).
        seed: the seed of the resamples.
        threads: the number of threads; default: one for each core. The results do not depend on it.
        only: the names of the metrics that are computed; None for all.

    Raises:
        ValueError: `statistics` and `groups` differ in length, or the task's `hits` and `reduce` differ.
    """
    if len(groups) != len(statistics):
        raise ValueError(f"{len(statistics)} frames but {len(groups)} groups")
    metrics = [metric for metric in task.all_metrics() if only is None or metric.name in only]
    names = list(dict.fromkeys(groups))
    numbers = {name: number for number, name in enumerate(names)}
    group_of_frame = np.array([numbers[name] for name in groups], np.int64)
    values = {metric.name: math.nan for metric in metrics}
    wanted = [metric.name for metric in metrics if metric.interval] if len(names) > 1 else []
    resampled = {name: np.full(resamples, math.nan) for name in wanted}
    if statistics and values:
        reduce = checked(task.reducer(statistics, None if only is None else list(values)), list(values))
        values |= {name: float(value[0]) for name, value in reduce(None).items() if only is None or name in only}
    infinite = {name: value for name, value in values.items() if math.isinf(value)}
    values |= dict.fromkeys(infinite, math.nan)
    if wanted:
        drawn = subsets(len(names), seed, range(resamples))

        def reduce_part(part: range) -> None:
            chosen = drawn[part.start : part.stop]
            reduced = reduce(chosen[:, group_of_frame].astype(np.float64))
            for name in wanted:
                drawn_values = reduced[name]
                if np.isinf(drawn_values).any():
                    drawn_values = np.where(np.isinf(drawn_values), math.nan, drawn_values)
                resampled[name][part.start : part.stop] = drawn_values

        # The size of the chunks depends only on the number of frames, so results do not depend on the number of cores.
        size = max(1, min(_CHUNK, _CHUNK_BYTES // (8 * len(statistics))))
        parts = [range(start, min(start + size, resamples)) for start in range(0, resamples, size)]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            for _ in pool.map(reduce_part, parts):
                pass
    source = hashlib.sha256("\0".join([*groups, str(resamples), str(seed)]).encode()).hexdigest()
    ratios = frozenset(metric.name for metric in metrics if not metric.unit and metric.higher_is_better)
    hits = _hits(task, statistics, group_of_frame, values) if statistics else {}
    own = {name: len(set(found.groups.tolist())) for name, found in hits.items()}
    if statistics:
        counted = ((name, frames) for name, frames in task.counted(statistics) if name in values)
        own |= {name: len(set(group_of_frame[frames].tolist())) for name, frames in counted}
    return Replicates(values, resampled, len(names), ratios, source, seed, hits, own=own, infinite=infinite)


def _hits(
    task: Task, statistics: Sequence[Statistics], groups: NDArray[np.int64], values: Mapping[str, float]
) -> dict[str, Hits]:
    """Return the right frames of each metric that is a share of right frames, and is among `values`.

    Raises:
        ValueError: the share is not the metric's value.
    """
    found = {}
    for name, scores in task.hits(statistics):
        if name in values:
            frames = np.flatnonzero(np.isfinite(scores))
            found[name] = Hits(frames, scores[frames] > 0, groups[frames])
            if not math.isclose(found[name].share, values[name], abs_tol=1e-9) and not math.isnan(values[name]):
                raise ValueError(
                    f"task {task.name}: `hits` of {name} has a share of {found[name].share} right frames, `reduce` "
                    f"returns {values[name]}"
                )
    return found


def interval(found: Replicates, metric: str) -> Estimate:
    """Return a metric's value with its 95% interval.

    The interval is for the metric's value on the whole population of images that the samples were drawn from.
    """
    value = found.values[metric]
    if math.isnan(value):
        return Estimate(None, None, None, found.why_undefined(metric), found.groups)
    if found.certain:
        return Estimate(value, value, value, groups=found.groups)
    hits, resampled, groups = found.hits.get(metric), found.resampled.get(metric), found.groups_of(metric)
    if reason := why_no_interval(resampled, found.groups, None if hits is not None else groups):
        return Estimate(value, None, None, reason, groups)
    if hits is not None:
        return Estimate(value, *share_interval(hits), groups=groups)
    assert resampled is not None
    defined = resampled[~np.isnan(resampled)]
    bounded = metric in found.ratios and 0 <= value <= 1
    error = math.hypot(standard_error(defined, found.groups), size_bias(value, defined, found.groups))
    below, above = Spread.of(error, found.influences.get(metric), groups, bounded, not bounded).reach()
    low, high = value - below, value + above
    if bounded:
        low, high = max(0.0, low), min(1.0, high)
    return Estimate(value, low, high, groups=groups, few=groups < min(GROUPS_FROM, found.groups))


def why_no_interval(resampled: NDArray[np.float64] | None, groups: int, own: int | None) -> str | None:
    """Return the reason why a metric, or a difference of metrics, has no interval; None if it has one.

    Args:
        resampled: float64[R]: the value on each resample, NaN where undefined; None if nothing was resampled.
        groups: the number of groups that were resampled.
        own: the number of groups that the metric depends on; None if its interval comes from the counts of right
            frames, however few these are.
    """
    if groups < 2:
        return "no interval: all samples come from one group"
    if resampled is None:
        return "no interval is computed for this metric"
    missing = float(np.mean(np.isnan(resampled)))
    if own is not None and missing > UNDEFINED_ALLOWED:
        return f"no interval: undefined in {missing:.0%} of the resamples, too few samples have its kind"
    if own is not None and own < 2:
        return "no interval: all samples of its kind come from one group"
    return None
