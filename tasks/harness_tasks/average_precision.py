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

from harness_tasks.weight_sums import accumulate, sums_up_to

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
_SIMILAR = 0.8
"""The length of the shortest curve in a block, relative to the longest."""
_ALONE = 8192
"""The number of terms of a sum that are added up together if there is a single set."""


@dataclass(frozen=True)
class _Block:
    """C curves of similar length, at most L points each, and where their sums of weights are found.

    Args:
        curve: int64[C], the curves' numbers.
        points: L.
        stops: for true, common and changed: int64[L * C], rows of the job's sums, point by point.
        starts: for true, common and changed: int64[C], the rows of the sums before the curve.
        order: int64[2 * ceil((L - 1) / 2) * C], the order in which the terms are added up (`_order`); None: as it is.
    """

    curve: NDArray[np.intp]
    points: int
    stops: tuple[NDArray[np.intp], ...]
    starts: tuple[NDArray[np.intp], ...]
    order: NDArray[np.intp] | None


@dataclass(frozen=True)
class _Job:
    """Curves of neighbouring lists.

    Args:
        chosen: for true, common and changed: int64[n], the frames whose weights are summed up.
        stops: for true, common and changed: int64[d], the numbers of these frames of which the sum is needed.
        sign: float32[n], the sign of each change.
        blocks: the curves.
    """

    chosen: tuple[NDArray[np.intp], ...]
    stops: tuple[NDArray[np.intp], ...]
    sign: NDArray[np.float32]
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
        return max((len(chosen) for job in self._jobs for chosen in job.chosen), default=0)

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
            signs = (None, None, job.sign)
            sums = [sums_up_to(weights, *args) for args in zip(job.chosen, job.stops, signs, strict=True)]
            for block in job.blocks:
                of_list, threshold = block.curve // thresholds, block.curve % thresholds
                found = _block_ap(block, sums, objects[of_list], self.rules[int(threshold[0])])
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
    chosen, needed, points, starts = [], [], [], []
    for place, frames in enumerate((curves.true, curves.common, curves.changed)):
        before, at = curves.starts[place, first:last], curves.stops[place, bounds[0] : bounds[-1]]
        stops, row = np.unique(np.concatenate([before, at]), return_inverse=True)
        chosen.append(frames[stops[0] : stops[-1]])
        needed.append(stops - stops[0])
        starts.append(row[: len(before)])
        points.append(row[len(before) :])
    begin = int(curves.starts[2, first])
    numbers, lengths, firsts = curves.curve[first:last], np.diff(bounds), bounds[:-1] - bounds[0]
    blocks = []
    for members in _similar(lengths, kind[numbers % curves.thresholds]):
        longest = int(lengths[members].max())
        at = firsts[members] + np.minimum(np.arange(longest)[:, None], lengths[members] - 1)
        moved = (points[2][at] != starts[2][members]).any()
        parts = (0, 1, 2) if moved else (0, 1)
        blocks.append(
            _Block(
                curve=numbers[members],
                points=longest,
                stops=tuple(points[part][at].ravel() for part in parts),
                starts=tuple(starts[part][members] for part in parts),
                order=_order(lengths[members] - 1),
            )
        )
    sign = curves.sign[begin : begin + len(chosen[2])]
    return _Job(tuple(chosen), tuple(needed), sign, tuple(blocks))


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
    block: _Block, sums: Sequence[NDArray[Any]], objects: NDArray[np.float64], rules: Sequence[Rule]
) -> list[NDArray[np.float64]]:
    """Return the AP of a block's curves by each of K rules, float64[C, R] each."""
    shape = (block.points, len(block.curve), sums[0].shape[1])
    true, kept, *changes = (
        total.take(stops, axis=0).reshape(shape) for total, stops in zip(sums, block.stops, strict=False)
    )
    for total, values, starts in zip(sums, (true, kept, *changes), block.starts, strict=False):
        values -= total.take(starts, axis=0)
    for change in changes:
        kept += change
    np.maximum(kept, np.finfo(kept.dtype).tiny, out=kept)
    result = [np.empty(shape[1:]) for _ in rules]
    step = max(1, _VALUES // (shape[0] * shape[1]))
    for start in range(0, shape[2], step):
        part = (..., slice(start, start + step))
        recall = true[part].astype(np.float64, order="C")
        precision = recall / kept[part]
        accumulate(np.maximum, precision.reshape(len(precision), -1)[::-1])
        recall /= objects[part]
        for values, rule in zip(result, rules, strict=True):
            values[part] = _area_under(rule(recall), precision, block.order)
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
    if order is not None:
        terms = terms.reshape(-1, sets).take(order, axis=0)
    pairs = terms.reshape(-1, 2 * count * sets)
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
        level = reached * step  # as np.linspace computes the level nearest to the recall
        reached += recall >= level
        reached /= points
        return reached

    return rule


def area(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the recall itself as the completed share of the precision-recall curve.

    With this rule, AP is the area under the monotone precision-recall curve (VOC since 2010).
    """
    return recall
