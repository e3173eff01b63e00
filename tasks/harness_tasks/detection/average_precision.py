"""Average precision of one class for many weighted sets of frames at once, without evaluating each anew.

Weighting frames changes neither the order of the detections nor what they matched, so one sorted array serves every
set: true and false positives are cumulative sums of weights. Precision is needed only where recall changes, at the
end of each run of true positives; what is kept or left out hardly differs between overlap thresholds, so one
cumulative sum over all detections, and short ones over the differences, serve all ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rule = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    """float64[R], from recall and precision float64[R, n] at the points where recall has changed."""

__all__ = ["Curve", "area", "average_precision", "curves", "interpolated"]


@dataclass(frozen=True)
class Curve:
    """Where the precision-recall curve of one threshold changes, in a list of n sorted detections.

    Args:
        true: int64[h], the true positives.
        ends: int64[e], of `true`, those that no other true positive follows directly: recall goes on rising through a
            run without precision falling, so the run's last point stands for all of it.
        seen: int64[e], how many of the common detections come up to each end.
        changed: int64[c], the detections that are kept here and not commonly, or the other way round.
        sign: float64[c], 1 or -1 accordingly.
        corrected: int64[e], how many of `changed` come up to each end.
    """

    true: NDArray[np.int64]
    ends: NDArray[np.int64]
    seen: NDArray[np.int64]
    changed: NDArray[np.int64]
    sign: NDArray[np.float64]
    corrected: NDArray[np.int64]


def curves(hits: NDArray[np.bool_], kept: NDArray[np.bool_]) -> tuple[NDArray[np.int64], tuple[Curve, ...]]:
    """The detections that most thresholds keep, int64[m], and the curve of each of T thresholds.

    Args:
        hits: bool[n, T], true positives, the most confident detection first.
        kept: bool[n, T], true and false positives; the rest counts as neither.
    """
    common = kept.sum(axis=1) * 2 > kept.shape[1]
    seen = np.cumsum(common)
    found = []
    for hit, keep in zip(hits.T, kept.T, strict=True):
        true = np.flatnonzero(hit)
        counted = np.cumsum(keep)[true]
        ends = np.flatnonzero(np.diff(counted, append=-1) != 1)
        last = true[ends]
        changed = np.flatnonzero(keep != common)
        sign = np.where(keep[changed], 1.0, -1.0)
        found.append(Curve(true, ends, seen[last], changed, sign, np.searchsorted(changed, last, side="right")))
    return np.flatnonzero(common), tuple(found)


def average_precision(
    weights: NDArray[np.float64],
    common: NDArray[np.int64],
    shapes: Sequence[Curve],
    positives: NDArray[np.float64],
    rules: Sequence[Rule],
) -> NDArray[np.float64]:
    """AP of R weighted sets at T thresholds by each of K rules.

    Args:
        weights: float64[R, n], how often each detection counts, the most confident first.
        common: from `curves`.
        shapes: from `curves`.
        positives: float64[R], the weighted number of objects.
        rules: what makes AP of a curve: `interpolated`, `area`.

    Returns:
        float64[R, T, K]; NaN where there are no positives.
    """
    result = np.zeros((len(weights), len(shapes), len(rules)))
    objects = np.where(positives > 0, positives, 1.0)[:, None]
    seen = _running(weights.take(common, axis=1)) if any(len(shape.ends) for shape in shapes) else np.zeros((0, 0))
    for place, shape in enumerate(shapes):
        if not len(shape.ends):
            continue
        hits = weights.take(shape.true, axis=1)
        recall = np.cumsum(hits, axis=1, out=hits).take(shape.ends, axis=1)
        precision = seen.take(shape.seen, axis=1)
        if len(shape.changed):
            precision += _running(weights.take(shape.changed, axis=1) * shape.sign).take(shape.corrected, axis=1)
        np.maximum(precision, np.finfo(np.float64).tiny, out=precision)
        np.divide(recall, precision, out=precision)
        envelope = precision[:, ::-1]
        np.fmax.accumulate(envelope, axis=1, out=envelope)
        np.divide(recall, objects, out=recall)
        for rank, rule in enumerate(rules):
            result[:, place, rank] = rule(recall, precision)
    result[positives <= 0] = np.nan
    return result


def interpolated(points: int) -> Rule:
    """The mean of the precision at equally spaced recalls: COCO's 101, VOC 2007's 11.

    A recall counts as reached as in `np.searchsorted(recall, np.linspace(0, 1, points))`: in pycocotools, in py-faster-
    rcnn and in detectron2, recall 3/10 does not reach the level 0.30000000000000004.
    """
    levels = np.linspace(0.0, 1.0, points)

    def rule(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = (recall * (points - 1) + 0.5).astype(np.intp)
        reached = np.add(nearest, recall >= levels.take(nearest), dtype=np.float64)
        return _steps_below(reached, precision) / points

    return rule


def area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under the curve of falling precision (VOC since 2010)."""
    return _steps_below(recall, precision)


def _steps_below(reached: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[R]: the sum over the points of the increase of `reached` (from 0) times `height`, float64[R, n]."""
    total: NDArray[np.float64] = np.einsum("ij,ij->i", reached[:, 1:] - reached[:, :-1], height[:, 1:])
    return total + reached[:, 0] * height[:, 0]


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[R, n + 1]: the sum of the first 0, 1, ... n columns."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums
