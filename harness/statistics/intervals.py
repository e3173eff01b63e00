"""Confidence intervals from stored statistics, without running a model again.

The samples are resampled by group (samples of one drive or person are not independent): each of R resamples is two
thirds of the groups, drawn without replacement, and every metric is reduced again from it. The spread of the results,
scaled from the resample's size to the whole's, is the standard error (the delete-d jackknife of Shao and Wu, Annals of
Statistics 17, 1989, by random subsets; also known as the m-out-of-n bootstrap without replacement, Politis and Romano
1994), and the interval is the value with so many standard errors on either side. A metric of a small set may lie off
the metric of a large one (average precision does); for values, not for differences, that is counted as error too.

Why not the usual bootstrap: drawing with replacement repeats images, and average precision of rare classes is no smooth
function of the data, so its percentile, basic and BCa intervals cover too seldom; `docs/explanation/statistics.md` has
the simulation. The resamples depend on the seed and the groups alone, so two experiments on the same samples get the
same ones, which makes their difference *paired*.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import Estimate

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
]

CONFIDENCE = 0.95
"""Of every interval."""
KEPT = 2 / 3
"""The share of the groups in a resample."""
HOLDS_FROM = 66
"""The smallest number of samples for which the simulation showed that the intervals of AP, AP50 and of their drops hold
(`docs/explanation/statistics.md`, which also says what was seen of other metrics); below, it is not known."""
GROUPS_FROM = 13
"""The smallest number of groups of samples, likewise."""
UNDEFINED_ALLOWED = 0.05
"""With more resamples than this share in which a metric is undefined, it gets no interval."""

_PIECE = 250
"""How many resamples are reduced at once."""
_PIECE_BYTES = 1 << 28
"""How large their weights may get."""


@dataclass(frozen=True)
class Replicates:
    """The metrics of one experiment, and what they become on each resample.

    Args:
        values: by metric; NaN where undefined.
        resampled: float64[R] by metric, for those that want an interval; NaN where undefined.
        groups: G, how many groups were resampled.
        ratios: the metrics that lie in 0-1, 1 the best; their intervals do too.
        source: what was resampled: equal for two experiments with the same samples in the same order, the same groups
            and the same resamples.
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
) -> Replicates:
    """The task's metrics, and their values on R resamples.

    Args:
        task: what reduces.
        statistics: of every scored frame, in dataset order.
        groups: of every scored frame: the group that its sample comes from.
        resamples: R.
        seed: of the resamples.
        threads: how many pieces are worked on at once; default: one a core. Results do not depend on it.
    """
    if len(groups) != len(statistics):
        raise ValueError(f"{len(statistics)} frames but {len(groups)} groups")
    metrics = task.all_metrics()
    names = list(dict.fromkeys(groups))
    places = {name: place for place, name in enumerate(names)}
    member = np.array([places[name] for name in groups], np.int64)
    values = {metric.name: math.nan for metric in metrics}
    wanted = [metric.name for metric in metrics if metric.interval] if len(names) > 1 else []
    resampled = {name: np.full(resamples, math.nan) for name in wanted}
    if statistics:
        values |= {name: float(value[0]) for name, value in task.reduce(statistics).items()}
    if wanted:

        def reduce(part: range) -> None:
            chosen = np.array([subset(len(names), seed, number) for number in part])
            reduced = task.reduce(statistics, chosen[:, member].astype(np.float64))
            for name in wanted:
                resampled[name][part.start : part.stop] = reduced[name]

        # The pieces depend on the number of frames alone, so that results do not depend on the machine's cores.
        size = max(1, min(_PIECE, _PIECE_BYTES // (8 * len(statistics))))
        parts = [range(start, min(start + size, resamples)) for start in range(0, resamples, size)]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            for _ in pool.map(reduce, parts):
                pass
    source = hashlib.sha256("\0".join([*groups, str(resamples), str(seed)]).encode()).hexdigest()
    ratios = frozenset(metric.name for metric in metrics if not metric.unit and metric.higher_is_better)
    return Replicates(values, resampled, len(names), ratios, source)


def interval(found: Replicates, metric: str) -> Estimate:
    """The interval of a metric: it holds for the metric's value on all the images the samples were drawn from."""
    value = found.values[metric]
    if math.isnan(value):
        return Estimate(None, None, None, "undefined: no sample has anything of its kind", found.groups)
    ends = estimate_from_resamples(value, found.resampled.get(metric), found.groups, biased=True)
    if metric in found.ratios and not ends.reason and 0 <= value <= 1:
        return Estimate(value, max(0.0, ends.low or 0.0), min(1.0, ends.high or 0.0), groups=found.groups)
    return ends


def paired_interval(found: Replicates, baseline: Replicates, metric: str, higher_is_better: bool) -> Estimate:
    """The interval of a metric's drop against the baseline, positive when it got worse.

    Raises:
        ValueError: the two do not stand on the same samples and resamples.
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
    """One resample: bool[G], which groups are in it. The same for the same three numbers."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number])))
    chosen = np.zeros(groups, np.bool_)
    chosen[random.permutation(groups)[: _kept(groups)]] = True
    return chosen


def standard_error(resampled: NDArray[np.float64], groups: int) -> float:
    """The standard error of a value on G groups, from its values on the resamples (`subset`).

    For a mean it is the usual standard deviation over the square root of G.
    """
    kept = _kept(groups)
    return float(np.std(resampled, ddof=1)) * math.sqrt(kept / (groups - kept))


def size_bias(value: float, resampled: NDArray[np.float64], groups: int) -> float:
    """The jackknife's estimate of how far a value on G groups lies off because a set of G is small.

    What the value gains from two thirds of the groups to all of them, it gains twice as much from there to a set
    without end, if the bias falls as 1/G. For a mean it is 0.
    """
    kept = _kept(groups)
    return (float(np.mean(resampled)) - value) * kept / (groups - kept)


def _kept(groups: int) -> int:
    return min(groups - 1, max(1, round(KEPT * groups)))


def estimate_from_resamples(
    value: float, resampled: NDArray[np.float64] | None, groups: int, biased: bool = False
) -> Estimate:
    """A value with its interval, from its values on the resamples.

    Args:
        value: on all groups; not NaN.
        resampled: float64[R], NaN where undefined; None where nothing was resampled.
        groups: G.
        biased: whether what a small set is off by counts as error too.
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
    reach = student(groups - 1) * error
    return Estimate(value, value - reach, value + reach, groups=groups)


def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Student's two-sided quantile (Abramowitz and Stegun 26.7.5; exact for one and two degrees of freedom).

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
