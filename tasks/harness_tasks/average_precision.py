"""Compute average precision (AP) of one class for many weighted sets of frames at once.

Weighting frames changes neither the order of the detections nor their matches. So the detections are sorted once, and
for each set the true and false positives are cumulative sums of weights. Precision is needed only where recall changes:
at the end of each run of true positives. The detections that are kept differ little between the overlap thresholds. So
one cumulative sum over all detections serves all ten thresholds, corrected by short sums over the differences. The
curves of all thresholds are stored one after the other in the same arrays.
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
    """A function that maps recall to the completed share of a precision-recall curve, 0-1. AP is the sum, over the
    curve's points, of the increase of this share times the precision at the point."""

__all__ = ["PrecisionRecallCurves", "area", "average_precision", "curves", "interpolated"]


@dataclass(frozen=True)
class PrecisionRecallCurves:
    """The points where precision-recall curves change, for n sorted detections and T overlap thresholds.

    Only C of the T thresholds have any true positive, and so a curve. The curves are stored one after the other. In
    total they have h true positives, e ends of runs, and c changes.

    Args:
        thresholds: T.
        common: int64[m], indices of the detections that are kept at more than half of the thresholds.
        present: the C thresholds that have a curve.
        parts: C slices of the e ends, one per curve.
        true: int64[h], indices of the true positives' detections.
        ends: int64[e], positions in `true` at which a run of consecutive true positives ends. Within a run recall rises
            and precision does not fall, so the last point represents the whole run.
        before: int64[e], for each end, the number of entries of `true` that belong to earlier curves.
        seen: int64[e], for each end, the number of common detections up to it.
        changed: int64[c], indices of detections that are kept at one threshold but are not common, or the reverse.
        sign: float64[c], 1 for a detection that is kept but not common, -1 for the reverse.
        corrected: int64[2, e], for each end, the range of changes that correct it: first, and one past the last.
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
    """Return the precision-recall curves of sorted detections.

    Args:
        hits: bool[n, T], whether a detection is a true positive; the most confident detection first.
        kept: bool[n, T], whether a detection is a true or a false positive; other detections are ignored.
    """
    detections, thresholds = hits.shape
    common = kept.sum(axis=1) * 2 > thresholds
    threshold, true = np.nonzero(hits.T)
    rank = np.cumsum(kept, axis=0)[true, threshold]
    follows = (np.diff(threshold, append=-1) == 0) & (np.diff(rank, append=-1) == 1)
    ends = np.flatnonzero(~follows)
    last, end_threshold = true[ends], threshold[ends]
    present, firsts = np.unique(end_threshold, return_index=True)
    parts = tuple(slice(*pair) for pair in itertools.pairwise([*firsts.tolist(), len(ends)]))
    altered, changed = np.nonzero((kept != common[:, None]).T)
    where = altered * detections + changed
    corrected = np.searchsorted(where, np.stack([end_threshold * detections, end_threshold * detections + last + 1]))
    return PrecisionRecallCurves(
        thresholds=thresholds,
        common=np.flatnonzero(common),
        present=tuple(present.tolist()),
        parts=parts,
        true=true,
        ends=ends,
        before=np.searchsorted(threshold, end_threshold),
        seen=np.cumsum(common)[last],
        changed=changed,
        sign=np.where(kept[changed, altered], 1.0, -1.0),
        corrected=corrected,
    )


def average_precision(
    weights: NDArray[np.float64], shape: PrecisionRecallCurves, positives: NDArray[np.float64], rules: Sequence[Rule]
) -> NDArray[np.float64]:
    """Return the AP of R weighted sets at T thresholds by each of K rules.

    Args:
        weights: float64[R, n], the weight of each detection in each set; the most confident detection first.
        shape: the curves of the n detections.
        positives: float64[R], the weighted number of objects.
        rules: the definitions of AP: `interpolated` or `area`.

    Returns:
        float64[R, T, K]; NaN where a set has no positives.
    """
    result = np.zeros((len(weights), shape.thresholds, len(rules)))
    if len(shape.ends):
        true = _cumulative_weights(weights, shape.true)
        recall = true.take(shape.ends + 1, axis=1)
        recall -= true.take(shape.before, axis=1)
        precision = _cumulative_weights(weights, shape.common).take(shape.seen, axis=1)
        if len(shape.changed):
            changes = _cumulative_weights(weights, shape.changed, shape.sign)
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
                result[:, threshold, rank] = _area_under(reached[:, part], precision[:, part])
    result[positives <= 0] = np.nan
    return result


def _cumulative_weights(
    weights: NDArray[np.float64], chosen: NDArray[np.intp], sign: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return cumulative sums float64[R, n + 1]: the weight of the first 0, 1, ... n of the chosen detections."""
    selected = weights.take(chosen, axis=1)
    if sign is not None:
        selected *= sign
    sums = np.empty((selected.shape[0], selected.shape[1] + 1))
    sums[:, 0] = 0.0
    np.cumsum(selected, axis=1, out=sums[:, 1:])
    return sums


def _area_under(reached: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64[R]: the sum over the points of the increase of `reached` (from 0) times the precision at the
    point."""
    total: NDArray[np.float64] = np.einsum("ij,ij->i", reached[:, 1:] - reached[:, :-1], precision[:, 1:])
    return total + reached[:, 0] * precision[:, 0]


def interpolated(points: int) -> Rule:
    """Return the rule that averages precision at equally spaced recall levels: 101 in COCO, 11 in VOC 2007.

    A recall reaches a level as in `np.searchsorted(recall, np.linspace(0, 1, points))`. As in pycocotools, py-faster-
    rcnn and detectron2, recall 3/10 does not reach the level 0.30000000000000004.
    """
    levels = np.linspace(0.0, 1.0, points)

    def rule(recall: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = (recall * (points - 1) + 0.5).astype(np.intp)
        return np.add(nearest, recall >= levels.take(nearest), dtype=np.float64) / points

    return rule


def area(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the recall itself as the completed share of the precision-recall curve.

    With this rule, AP is the area under the monotone precision-recall curve (VOC since 2010).
    """
    return recall
