"""Average precision of one class for many weighted sets of frames at once, without evaluating each anew.

Weighting frames changes neither the order of the detections nor what they matched, so one sorted array serves every
set: true and false positives are cumulative sums of weights. Precision is needed only where recall changes, at the
end of each run of true positives; what is kept or left out hardly differs between overlap thresholds, so one
cumulative sum over all detections, and short ones over the differences, serve all ten. The curves of the thresholds
lie one after the other in the same arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rule = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """From recall to the share of a curve that it completes; AP is the sum of the share's increases, each times the
    precision from there on."""

__all__ = ["PrecisionRecallCurves", "area", "average_precision", "curves", "interpolated"]


@dataclass(frozen=True)
class PrecisionRecallCurves:
    """Where precision-recall curves at T thresholds change, in a list of n sorted detections.

    C of the T curves have a true positive at all; they lie one after the other: h true positives, e ends, c changes.

    Args:
        thresholds: T.
        common: int64[m], the detections that most thresholds keep.
        present: the C thresholds that have a curve.
        parts: C slices of the ends, one a curve.
        true: int64[h], the true positives.
        ends: int64[e], of `true`, those that no other true positive follows directly: recall goes on rising through a
            run without precision falling, so the run's last point stands for all of it.
        before: int64[e], how many of `true` lie before the end's curve.
        seen: int64[e], how many of the common detections come up to each end.
        changed: int64[c], the detections that are kept at a threshold and not commonly, or the other way round.
        sign: float64[c], 1 or -1 accordingly.
        corrected: int64[2, e], the changes that count for an end: from the first to before the second.
    """

    thresholds: int
    common: NDArray[np.intp]
    present: tuple[int, ...]
    parts: tuple[slice, ...]
    true: NDArray[np.intp]
    ends: NDArray[np.intp]
    before: NDArray[np.intp]
    seen: NDArray[np.intp]
    changed: NDArray[np.intp]
    sign: NDArray[np.float64]
    corrected: NDArray[np.intp]


def curves(hits: NDArray[np.bool_], kept: NDArray[np.bool_]) -> PrecisionRecallCurves:
    """The curves of a list of detections.

    Args:
        hits: bool[n, T], true positives, the most confident detection first.
        kept: bool[n, T], true and false positives; the rest counts as neither.
    """
    detections, thresholds = hits.shape
    common = kept.sum(axis=1) * 2 > thresholds
    threshold, true = np.nonzero(hits.T)
    place = np.cumsum(kept, axis=0)[true, threshold]
    follows = (np.diff(threshold, append=-1) == 0) & (np.diff(place, append=-1) == 1)
    ends = np.flatnonzero(~follows)
    last, owner = true[ends], threshold[ends]
    present, firsts = np.unique(owner, return_index=True)
    parts = tuple(slice(*pair) for pair in itertools.pairwise([*firsts.tolist(), len(ends)]))
    altered, changed = np.nonzero((kept != common[:, None]).T)
    where = altered * detections + changed
    corrected = np.searchsorted(where, np.stack([owner * detections, owner * detections + last + 1]))
    return PrecisionRecallCurves(
        thresholds=thresholds,
        common=np.flatnonzero(common),
        present=tuple(present.tolist()),
        parts=parts,
        true=true,
        ends=ends,
        before=np.searchsorted(threshold, owner),
        seen=np.cumsum(common)[last],
        changed=changed,
        sign=np.where(kept[changed, altered], 1.0, -1.0),
        corrected=corrected,
    )


def average_precision(
    weights: NDArray[np.float64], shape: PrecisionRecallCurves, positives: NDArray[np.float64], rules: Sequence[Rule]
) -> NDArray[np.float64]:
    """AP of R weighted sets at T thresholds by each of K rules.

    Args:
        weights: float64[R, n], how often each detection counts, the most confident first.
        shape: of the n detections.
        positives: float64[R], the weighted number of objects.
        rules: what makes AP of a curve: `interpolated`, `area`.

    Returns:
        float64[R, T, K]; NaN where there are no positives.
    """
    result = np.zeros((len(weights), shape.thresholds, len(rules)))
    if len(shape.ends):
        true = _running(weights, shape.true)
        recall = true.take(shape.ends + 1, axis=1)
        recall -= true.take(shape.before, axis=1)
        precision = _running(weights, shape.common).take(shape.seen, axis=1)
        if len(shape.changed):
            changes = _running(weights, shape.changed, shape.sign)
            precision += changes.take(shape.corrected[1], axis=1)
            precision -= changes.take(shape.corrected[0], axis=1)
        np.maximum(precision, np.finfo(np.float64).tiny, out=precision)
        np.divide(recall, precision, out=precision)
        for part in shape.parts:
            envelope = precision[:, part][:, ::-1]
            np.fmax.accumulate(envelope, axis=1, out=envelope)
        recall /= np.where(positives > 0, positives, 1.0)[:, None]
        for rank, rule in enumerate(rules):
            reached = rule(recall)
            for threshold, part in zip(shape.present, shape.parts, strict=True):
                result[:, threshold, rank] = _under(reached[:, part], precision[:, part])
    result[positives <= 0] = np.nan
    return result


def _running(
    weights: NDArray[np.float64], chosen: NDArray[np.intp], sign: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """float64[R, n + 1]: the sum of the weights of the first 0, 1, ... n of the chosen detections."""
    drawn = weights.take(chosen, axis=1)
    if sign is not None:
        drawn *= sign
    sums = np.empty((drawn.shape[0], drawn.shape[1] + 1))
    sums[:, 0] = 0.0
    np.cumsum(drawn, axis=1, out=sums[:, 1:])
    return sums


def _under(reached: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[R]: the sum over the points of the increase of `reached` (from 0) times the precision, float64[R, n]."""
    total: NDArray[np.float64] = np.einsum("ij,ij->i", reached[:, 1:] - reached[:, :-1], precision[:, 1:])
    return total + reached[:, 0] * precision[:, 0]


def interpolated(points: int) -> Rule:
    """The mean of the precision at equally spaced recalls: COCO's 101, VOC 2007's 11.

    A recall counts as reached as in `np.searchsorted(recall, np.linspace(0, 1, points))`: in pycocotools, in py-faster-
    rcnn and in detectron2, recall 3/10 does not reach the level 0.30000000000000004.
    """
    levels = np.linspace(0.0, 1.0, points)

    def rule(recall: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = (recall * (points - 1) + 0.5).astype(np.intp)
        return np.add(nearest, recall >= levels.take(nearest), dtype=np.float64) / points

    return rule


def area(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under the curve of falling precision (VOC since 2010)."""
    return recall
