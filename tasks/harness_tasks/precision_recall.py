"""The points of the precision-recall curves of many lists of detections, for several overlap thresholds each.

Weighting frames changes neither the order of the detections nor their matches. So the points are found once, and the
curve of each weighted set of frames follows from sums of weights at these points (`average_precision`). Precision is
needed only where recall changes: at the end of each run of true positives. Within a run recall rises and precision does
not fall, so the last point represents the whole run.

The detections that are kept differ little between the thresholds. So one cumulative sum over the *common* detections of
a list serves all its thresholds, corrected by sums over the *changed* ones. All lists and thresholds are stored one
after the other in the same arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PrecisionRecallCurves", "curves", "joined"]


@dataclass(frozen=True)
class PrecisionRecallCurves:
    """The points of the curves of U lists of detections at T thresholds.

    Only C of the U * T curves have a true positive, and so points. They are in ascending order. In total they have h
    true positives and e points; the lists have m common detections, and the curves c changed ones.

    Args:
        lists: U.
        thresholds: T.
        curve: int64[C], number of each curve: list * T + threshold.
        bounds: int64[C + 1], where the points of each curve begin, and those of the last end.
        true: int64[h], the frame of each true positive, curve by curve.
        common: int64[m], the frame of each detection that is kept at more than half of the thresholds, list by list.
        changed: int64[c], the frame of each detection that is kept at a threshold but is not common, or the reverse.
        sign: float32[c], 1 for a detection that is kept but not common, -1 for the reverse.
        stops: int64[3, e], for each point, the number of entries of `true`, `common` and `changed` up to it.
        starts: int64[3, C], for each curve, the number of entries of these arrays before the curve (or its list).
    """

    lists: int
    thresholds: int
    curve: NDArray[np.intp]
    bounds: NDArray[np.intp]
    true: NDArray[np.intp]
    common: NDArray[np.intp]
    changed: NDArray[np.intp]
    sign: NDArray[np.float32]
    stops: NDArray[np.intp]
    starts: NDArray[np.intp]


def curves(
    frame: NDArray[np.intp], member: NDArray[np.intp], hits: NDArray[np.bool_], kept: NDArray[np.bool_], lists: int
) -> PrecisionRecallCurves:
    """Return the precision-recall curves of lists of sorted detections.

    Args:
        frame: int64[n], the frame of each detection.
        member: int64[n], the number of each detection's list, ascending; in a list, the most confident first.
        hits: bool[n, T], whether a detection is a true positive.
        kept: bool[n, T], whether a detection is a true or a false positive; other detections are ignored.
        lists: U, the number of lists.
    """
    count, thresholds = hits.shape
    common = kept.sum(axis=1) * 2 > thresholds
    true, curve_of = _by_curve(hits, member)
    rank = np.cumsum(kept, axis=0, dtype=np.int32)[true, curve_of % thresholds]
    follows = (np.diff(curve_of, append=-1) == 0) & (np.diff(rank, append=-1) == 1)
    ends = np.flatnonzero(~follows)
    last, of_end = true[ends], curve_of[ends]
    curve, firsts = np.unique(of_end, return_index=True)
    changed, altered = _by_curve(kept != common[:, None], member)
    has_points = np.isin(altered, curve)
    changed, altered = changed[has_points], altered[has_points]
    place = altered * count + changed
    seen = np.concatenate([[0], np.cumsum(common)])
    return PrecisionRecallCurves(
        lists=lists,
        thresholds=thresholds,
        curve=curve,
        bounds=np.append(firsts, len(ends)),
        true=frame[true],
        common=frame[common],
        changed=frame[changed],
        sign=np.where(kept[changed, altered % thresholds], np.float32(1), np.float32(-1)),
        stops=np.stack([ends + 1, seen[last + 1], np.searchsorted(place, of_end * count + last + 1)]),
        starts=np.stack(
            [
                np.searchsorted(curve_of, curve),
                seen[np.searchsorted(member, curve // thresholds)],
                np.searchsorted(altered, curve),
            ]
        ),
    )


def joined(parts: Sequence[PrecisionRecallCurves]) -> PrecisionRecallCurves:
    """Return the curves of all parts as one, with their lists one after the other; all have the same thresholds."""
    before = np.cumsum([[0] * 4, *([part.lists, *map(len, _entries(part))] for part in parts)], axis=0)
    points = np.cumsum([0, *(int(part.bounds[-1]) for part in parts)])
    places = range(len(parts))
    return PrecisionRecallCurves(
        lists=int(before[-1, 0]),
        thresholds=parts[0].thresholds,
        curve=np.concatenate([parts[n].curve + before[n, 0] * parts[n].thresholds for n in places]),
        bounds=np.append(np.concatenate([parts[n].bounds[:-1] + points[n] for n in places]), points[-1]),
        true=np.concatenate([part.true for part in parts]),
        common=np.concatenate([part.common for part in parts]),
        changed=np.concatenate([part.changed for part in parts]),
        sign=np.concatenate([part.sign for part in parts]),
        stops=np.concatenate([parts[n].stops + before[n, 1:, None] for n in places], axis=1),
        starts=np.concatenate([parts[n].starts + before[n, 1:, None] for n in places], axis=1),
    )


def _by_curve(chosen: NDArray[np.bool_], member: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the detections that are chosen (bool[n, T]) at each threshold, curve by curve, and their curves."""
    threshold, detection = np.nonzero(chosen.T)
    curve = member[detection] * chosen.shape[1] + threshold
    order = np.argsort(curve, kind="stable")
    return detection[order], curve[order]


def _entries(part: PrecisionRecallCurves) -> tuple[NDArray[Any], ...]:
    return part.true, part.common, part.changed
