"""Confidence intervals that are computed from stored statistics, without running a model again.

The groups of samples are resampled, because the samples of one drive or person are not independent. Each of the R
resamples contains two thirds of the groups, drawn without replacement, and every metric is computed again on each
resample. The standard error is the standard deviation of these values, scaled from the size of a resample to the size
of the whole dataset. This method is the delete-d jackknife with random subsets (Shao and Wu, Annals of Statistics 17,
1989), also known as the m-out-of-n bootstrap without replacement (Politis and Romano 1994). The interval is the value
plus and minus the standard error times Student's quantile.

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
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import GROUPS_FROM, HOLDS_FROM, Estimate
from harness.statistics.reduced import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics, Task

__all__ = [
    "GROUPS_FROM",
    "HOLDS_FROM",
    "UNDEFINED_ALLOWED",
    "Replicates",
    "estimate_from_resamples",
    "interval",
    "paired_interval",
    "replicates",
    "size_bias",
    "standard_error",
    "student",
    "subset",
    "subsets",
]

CONFIDENCE = 0.95
"""The confidence level of every interval."""
KEPT = 2 / 3
"""The share of the groups that a resample contains."""
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
    """

    values: Mapping[str, float]
    resampled: Mapping[str, NDArray[np.float64]] = field(repr=False)
    groups: int
    ratios: frozenset[str]
    source: str


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
        ValueError: `statistics` and `groups` differ in length.
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
    if wanted:
        drawn = subsets(len(names), seed, range(resamples))

        def reduce_part(part: range) -> None:
            chosen = drawn[part.start : part.stop]
            reduced = reduce(chosen[:, group_of_frame].astype(np.float64))
            for name in wanted:
                resampled[name][part.start : part.stop] = reduced[name]

        # The size of the chunks depends only on the number of frames, so results do not depend on the number of cores.
        size = max(1, min(_CHUNK, _CHUNK_BYTES // (8 * len(statistics))))
        parts = [range(start, min(start + size, resamples)) for start in range(0, resamples, size)]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            for _ in pool.map(reduce_part, parts):
                pass
    source = hashlib.sha256("\0".join([*groups, str(resamples), str(seed)]).encode()).hexdigest()
    ratios = frozenset(metric.name for metric in metrics if not metric.unit and metric.higher_is_better)
    return Replicates(values, resampled, len(names), ratios, source)


def interval(found: Replicates, metric: str) -> Estimate:
    """Return a metric's value with its 95% interval.

    The interval is for the metric's value on the whole population of images that the samples were drawn from.
    """
    value = found.values[metric]
    if math.isnan(value):
        return Estimate(None, None, None, "undefined: no sample has anything of its kind", found.groups)
    ends = estimate_from_resamples(value, found.resampled.get(metric), found.groups, biased=True)
    if metric in found.ratios and not ends.reason and 0 <= value <= 1:
        return Estimate(value, max(0.0, ends.low or 0.0), min(1.0, ends.high or 0.0), groups=found.groups)
    return ends


def paired_interval(found: Replicates, baseline: Replicates, metric: str, higher_is_better: bool) -> Estimate:
    """Return the drop of a metric against the baseline, with its paired 95% interval; positive if it got worse.

    Raises:
        ValueError: the two experiments do not have the same samples, groups and resamples.
    """
    if found.source != baseline.source:
        raise ValueError("a paired interval needs two experiments on the same samples, groups and resamples")
    sign = 1.0 if higher_is_better else -1.0
    value = sign * (baseline.values[metric] - found.values[metric])
    if math.isnan(value):
        return Estimate(None, None, None, "undefined: no sample has anything of its kind", found.groups)
    if metric not in found.resampled:
        return estimate_from_resamples(value, None, found.groups)
    return estimate_from_resamples(value, sign * (baseline.resampled[metric] - found.resampled[metric]), found.groups)


def subset(groups: int, seed: int, number: int) -> NDArray[np.bool_]:
    """Draw one resample: bool[G], true for the groups that it contains.

    The result depends only on the three arguments.

    Args:
        groups: the number of groups (G).
        seed: the seed of all resamples.
        number: the number of this resample.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number])))
    chosen = np.zeros(groups, np.bool_)
    chosen[random.permutation(groups)[: _kept(groups)]] = True
    return chosen


def subsets(groups: int, seed: int, numbers: range) -> NDArray[np.bool_]:
    """Draw several resamples (`subset`), or take those that were drawn before: bool[R, G].

    Args:
        groups: the number of groups (G).
        seed: the seed of all resamples.
        numbers: the numbers of the resamples.
    """
    bits = _bits(groups, seed, numbers.stop)[numbers.start : numbers.stop]
    return np.unpackbits(bits, axis=1, count=groups).view(np.bool_)


@lru_cache(maxsize=4)
def _bits(groups: int, seed: int, resamples: int) -> NDArray[np.uint8]:
    """Return the first resamples as bits, uint8[R, ceil(G / 8)]. The next experiment mostly has the same."""
    bits = np.empty((resamples, -(-groups // 8)), np.uint8)
    for number in range(resamples):
        bits[number] = np.packbits(subset(groups, seed, number))
    return bits


def standard_error(resampled: NDArray[np.float64], groups: int) -> float:
    """Return the standard error of a value that was computed on G groups, from its values on the resamples (`subset`).

    For a mean it equals the usual standard error: the standard deviation over the square root of G.
    """
    kept = _kept(groups)
    return float(np.std(resampled, ddof=1)) * math.sqrt(kept / (groups - kept))


def size_bias(value: float, resampled: NDArray[np.float64], groups: int) -> float:
    """Return the jackknife's estimate of the bias that a value on G groups has because G is small.

    The estimate assumes that the bias falls as 1/G. The change of the value from all G groups to an infinite dataset is
    then twice the change from two thirds of the groups to all of them. For a mean the bias is 0.

    Args:
        value: the value on all groups.
        resampled: float64[R]: the value on each resample.
        groups: the number of groups (G).
    """
    kept = _kept(groups)
    return (float(np.mean(resampled)) - value) * kept / (groups - kept)


def _kept(groups: int) -> int:
    return min(groups - 1, max(1, round(KEPT * groups)))


def estimate_from_resamples(
    value: float, resampled: NDArray[np.float64] | None, groups: int, biased: bool = False
) -> Estimate:
    """Return a value with its 95% interval, which is computed from its values on the resamples.

    Args:
        value: the value on all groups; not NaN.
        resampled: float64[R]: the value on each resample, NaN where undefined; None if nothing was resampled.
        groups: the number of groups (G).
        biased: whether the bias of small datasets (`size_bias`) is added to the error.
    """
    if groups < 2:
        return Estimate(value, None, None, "no interval: all samples come from one group", groups)
    if resampled is None:
        return Estimate(value, None, None, "no interval is computed for this metric", groups)
    defined = resampled[~np.isnan(resampled)]
    missing = float(np.mean(np.isnan(resampled)))
    if missing > UNDEFINED_ALLOWED:
        share = f"{missing:.0%} of the resamples"
        return Estimate(value, None, None, f"no interval: undefined in {share}, too few samples have its kind", groups)
    error = standard_error(defined, groups)
    if biased:
        error = math.hypot(error, size_bias(value, defined, groups))
    half_width = student(groups - 1) * error
    return Estimate(value, value - half_width, value + half_width, groups=groups)


def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return Student's two-sided quantile (Abramowitz and Stegun 26.7.5; exact for one and two degrees of freedom).

    Args:
        freedom: the degrees of freedom.
        confidence: the confidence level of the interval.

    >>> [round(student(n), 2) for n in (1, 2, 5, 100)]
    [12.71, 4.3, 2.57, 1.98]
    """
    if freedom == 1:
        return math.tan(math.pi * confidence / 2)
    if freedom == 2:
        return confidence * math.sqrt(2 / (1 - confidence * confidence))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / math.pow(freedom, power) for power, term in enumerate(terms, start=1))
