"""Compute average precision (AP) of many lists of detections for many weighted sets of frames at once.

All curves of all lists (`harness_tasks.precision_recall`) are computed together, for all sets: curves of similar length
form a block float64[L, C, R] with L points, C curves and R sets, and each step works on whole blocks. Shorter curves of
a block repeat their last point, which changes nothing.

AP is a sum over a curve's points. It is added up in a fixed order (`_order`), so the result does not depend on the
machine, the blocks, or the other sets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_tasks.weight_sums import GapSums, accumulate, gap_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.precision_recall import PrecisionRecallCurves

    Rule = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """A function that maps recall to the completed share of a precision-recall curve, 0-1. AP is the sum, over the
    curve's points, of the increase of this share times the precision at the point."""

__all__ = ["AveragePrecision", "area", "interpolated"]

_POINTS = 1 << 14
"""The number of points of curves whose sums of weights are kept in memory at once, if they are of several lists."""
_ROWS = 384
"""The number of points in a block, if it has several curves."""
_VALUES = 1 << 17
"""The number of values float64[L, C, R] that are processed at once, so that they stay in the CPU cache."""
_SIMILAR = 0.75
"""The length of the shortest curve in a block, relative to the longest."""
_ALONE = 8192
"""The number of terms of a sum that are added up together if there is a single set."""


@dataclass(frozen=True)
class _Block:
    """C curves of similar length, at most L points each, and where their sums of weights are found.

    Args:
        curve: int64[C], the curves' numbers.
        points: L.
        true: int64[L * C], rows of the job's sums of true positives, point by point.
        stops: for common and changed: int64[L * C], rows of the job's sums.
        starts: for common and changed: int64[C], the rows of the sums before the curve.
        order: int64[2 * ceil((L - 1) / 2) * C], the order in which the terms are added up (`_order`); None: as it is.
    """

    curve: NDArray[np.intp]
    points: int
    true: NDArray[np.intp]
    stops: tuple[NDArray[np.intp], ...]
    starts: tuple[NDArray[np.intp], ...]
    order: NDArray[np.intp] | None


@dataclass(frozen=True)
class _Job:
    """Curves of neighbouring lists.

    Args:
        true: for each point, the sum over the run of true positives that ends there; then a sum that is 0.
        counted: for common and changed: sums between the places at which the sum is needed.
        terms: the largest number of weights in a sum.
        blocks: the curves.
    """

    true: GapSums
    counted: tuple[GapSums, ...]
    terms: int
    blocks: tuple[_Block, ...]


@dataclass(frozen=True)
class AveragePrecision:
    """Computes the AP of lists of detections.

    Args:
        curves: the curves of the lists.
        rules: for each threshold the definitions of AP: `interpolated` or `area`.
    """

    curves: PrecisionRecallCurves
    rules: Sequence[Sequence[Rule]]
    _jobs: tuple[_Job, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kind = np.array([self.rules.index(rules) for rules in self.rules])
        jobs = tuple(_job(self.curves, first, last, kind) for first, last in _ranges(self.curves))
        object.__setattr__(self, "_jobs", jobs)

    @property
    def terms(self) -> int:
        """The largest number of weights that are summed up (for `by_frame`)."""
        return max((job.terms for job in self._jobs), default=0)

    def __call__(self, weights: NDArray[Any], positives: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the AP of R weighted sets.

        Args:
            weights: [N, R], the weight of each frame in each set (`by_frame`).
            positives: float64[U, R], the weighted number of objects of each list.

        Returns:
            float64[U, K, R]: the APs of the first threshold by its rules, then those of the second, and so on; NaN
            where a set has no positives.
        """
        thresholds = self.curves.thresholds
        firsts = np.cumsum([0, *map(len, self.rules)])
        result = np.zeros((self.curves.lists, int(firsts[-1]), weights.shape[1]))
        objects = np.where(positives > 0, positives, 1.0)
        for job in self._jobs:
            true = job.true(weights)
            counted = [sums(weights).take(sums.row, axis=0) for sums in job.counted]
            for totals in counted:
                accumulate(np.add, totals)
            for block in job.blocks:
                of_list, threshold = block.curve // thresholds, block.curve % thresholds
                found = _block_ap(block, true, counted, objects[of_list], self.rules[int(threshold[0])])
                for rank, values in enumerate(found):
                    result[of_list, firsts[threshold] + rank] = values
        np.copyto(result, np.nan, where=(positives <= 0)[:, None])
        return result


def _ranges(curves: PrecisionRecallCurves) -> Iterator[tuple[int, int]]:
    """Yield ranges of curves, first and one past the last, of whole lists with at most about `_POINTS` points."""
    members = curves.curve // curves.thresholds
    firsts = [*np.flatnonzero(np.diff(members, prepend=-1)).tolist(), len(members)]
    begin = 0
    for first, after in itertools.pairwise(firsts):
        if first > begin and curves.bounds[after] - curves.bounds[begin] > _POINTS:
            yield begin, first
            begin = first
    if begin < len(members):
        yield begin, len(members)


def _job(curves: PrecisionRecallCurves, first: int, last: int, kind: NDArray[np.intp]) -> _Job:
    bounds = curves.bounds[first : last + 1]
    counted, points, starts = [], [], []
    terms = [int(curves.stops[0, bounds[-1] - 1] - curves.starts[0, first])]
    for place, frames, factors in ((1, curves.common, None), (2, curves.changed, curves.sign)):
        before, at = curves.starts[place, first:last], curves.stops[place, bounds[0] : bounds[-1]]
        stops, row = np.unique(np.concatenate([before, at]), return_inverse=True)
        part = slice(int(stops[0]), int(stops[-1]))
        counted.append(gap_sums(frames[part], stops - stops[0], None if factors is None else factors[part]))
        starts.append(row[: len(before)])
        points.append(row[len(before) :])
        terms.append(part.stop - part.start)
    true_stops = curves.stops[0, bounds[0] : bounds[-1]] - curves.starts[0, first]
    true = gap_sums(curves.true[curves.starts[0, first] :], np.append(true_stops, true_stops[-1]))
    numbers, lengths, firsts = curves.curve[first:last], np.diff(bounds), bounds[:-1] - bounds[0]
    blocks = []
    for members in _similar(lengths, kind[numbers % curves.thresholds]):
        step = np.arange(int(lengths[members].max()))[:, None]
        at = firsts[members] + np.minimum(step, lengths[members] - 1)
        parts = (0, 1) if (points[1][at] != starts[1][members]).any() else (0,)
        blocks.append(
            _Block(
                curve=numbers[members],
                points=len(step),
                true=true.row[np.where(step < lengths[members], at, len(true_stops))].ravel(),
                stops=tuple(points[part][at].ravel() for part in parts),
                starts=tuple(starts[part][members] for part in parts),
                order=_order(lengths[members] - 1),
            )
        )
    return _Job(true, tuple(counted), max(terms), tuple(blocks))


def _similar(lengths: NDArray[np.intp], kind: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield the curves of each block: of the same rules, similar in length, and not too many points together."""
    order = np.lexsort((-lengths, kind))
    kinds, sizes = kind[order].tolist(), lengths[order].tolist()
    begin = 0
    for place in range(1, len(order) + 1):
        if (
            place == len(order)
            or kinds[place] != kinds[begin]
            or sizes[place] < _SIMILAR * sizes[begin]
            or (place - begin + 1) * sizes[begin] > _ROWS
        ):
            yield order[begin:place]
            begin = place


def _order(terms: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return the order in which a curve's terms are added up.

    The terms are summed up in two halves, those at even and those at odd places, which are then added: so a row of the
    terms is a pair of neighbours. Of every four pairs the last is added first; pairs that do not fill up four are added
    as they come. This is the order of NumPy's `einsum` on processors with registers of two numbers, in which earlier
    versions summed up: results are the same to the last bit.

    Args:
        terms: int64[C], the number of terms of each curve.

    Returns:
        indices int64[M * 2 * C] into the terms [M * 2, C], M the largest number of pairs; None if it is as they come.
    """
    if terms.max() < 8:
        return None
    slot = np.arange(-(-int(terms.max()) // 2))[:, None]
    pair = np.where(slot < terms // 8 * 4, slot ^ 3, slot)
    place = 2 * pair[:, None, :] + np.arange(2)[:, None]
    return np.asarray(place * len(terms) + np.arange(len(terms)), np.intp).ravel()


def _block_ap(
    block: _Block,
    true_sums: NDArray[Any],
    counted: Sequence[NDArray[Any]],
    objects: NDArray[np.float64],
    rules: Sequence[Rule],
) -> list[NDArray[np.float64]]:
    """Return the AP of a block's curves by each of K rules, float64[C, R] each."""
    count, sets = objects.shape
    shape = (block.points, count, sets)
    true = true_sums.take(block.true, axis=0).reshape(shape)
    accumulate(np.add, true.reshape(block.points, -1))
    kept, *changes = (
        sums.take(stops, axis=0).reshape(shape) for sums, stops in zip(counted, block.stops, strict=False)
    )
    for values, sums, starts in zip((kept, *changes), counted, block.starts, strict=False):
        values -= sums.take(starts, axis=0)
    for change in changes:
        kept += change
    np.maximum(kept, np.finfo(kept.dtype).tiny, out=kept)
    result = [np.empty((count, sets)) for _ in rules]
    step = max(1, _VALUES // (block.points * count))
    for start in range(0, sets, step):
        part = (..., slice(start, start + step))
        recall = true[part].astype(np.float64, order="C")
        precision = kept[part].astype(np.float64, order="C")
        np.divide(recall, precision, out=precision)
        accumulate(np.maximum, precision.reshape(block.points, -1)[::-1])
        recall /= objects[part]
        for found, rule in zip(result, rules, strict=True):
            found[part] = _area_under(rule(recall), precision, block.order)
    return result


def _area_under(
    reached: NDArray[np.float64], precision: NDArray[np.float64], order: NDArray[np.intp] | None
) -> NDArray[np.float64]:
    """Return float64[C, R]: the sum over the points of the increase of `reached` (from 0) times the precision at the
    point."""
    points, count, sets = reached.shape
    terms = np.empty((points // 2 * 2, count, sets))
    np.subtract(reached[1:], reached[:-1], out=terms[: points - 1])
    terms[: points - 1] *= precision[1:]
    terms[points - 1 :] = 0.0
    rows = terms.reshape(-1, sets)
    pairs = (rows if order is None else rows.take(order, axis=0)).reshape(-1, 2 * count * sets)
    step = _ALONE // 2 if sets == 1 else max(1, len(pairs))
    total = np.zeros((count, sets))
    for start in range(0, len(pairs), step):
        even, odd = np.add.reduce(pairs[start : start + step], axis=0).reshape(2, count, sets)
        total += even + odd
    return np.asarray(total + reached[0] * precision[0])


def interpolated(points: int) -> Rule:
    """Return the rule that averages precision at equally spaced recall levels: 101 in COCO, 11 in VOC 2007.

    A recall reaches a level as in `np.searchsorted(recall, np.linspace(0, 1, points))`. As in pycocotools, py-faster-
    rcnn and detectron2, recall 3/10 does not reach the level 0.30000000000000004.
    """
    step = 1.0 / (points - 1)

    def rule(recall: NDArray[np.float64]) -> NDArray[np.float64]:
        reached = recall * (points - 1)
        reached += 0.5
        np.floor(reached, out=reached)
        above = reached * step  # the nearest level, as np.linspace computes it
        np.subtract(recall, above, out=above)
        np.floor(above, out=above)  # 0 if the level is reached, otherwise -1
        reached += above
        reached += 1.0
        reached /= points
        return reached

    return rule


def area(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the recall itself as the completed share of the precision-recall curve.

    With this rule, AP is the area under the monotone precision-recall curve (VOC since 2010).
    """
    return recall
