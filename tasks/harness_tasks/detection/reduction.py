"""Compute the detection metrics of many weighted sets of frames from the frames' statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.average_precision import AveragePrecision, area, interpolated
from harness_tasks.detection.matching import AREAS, MAX_DETECTIONS, THRESHOLDS, unpack
from harness_tasks.detection.voc import TRUE, VOID
from harness_tasks.precision_recall import curves, joined
from harness_tasks.weight_sums import ListSums, by_frame, list_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.joined import JoinedFrames

__all__ = ["ClassLists", "class_lists", "class_metrics"]

_COCO, _VOC07 = interpolated(101), interpolated(11)


@dataclass(frozen=True)
class ClassLists:
    """The detections and the objects of C classes in N frames, prepared for `class_metrics`.

    Args:
        classes: C.
        sizes: the size ranges (indices of `AREAS`) whose AP is computed; "all" is the first.
        voc: whether VOC's AP is computed.
        precision: computes the AP of each class, one size range after the other.
        positives: sums up the objects that count, in each of the size ranges of `AREAS`.
        reached: sums up at how many thresholds detections are true positives (`_reached`); None without recall.
    """

    classes: int
    sizes: tuple[int, ...]
    voc: bool
    precision: AveragePrecision
    positives: ListSums
    reached: ListSums | None


def class_lists(
    frames: JoinedFrames,
    classes: int,
    sizes: Sequence[int] = tuple(range(len(AREAS))),
    voc: bool = True,
    recall: bool = True,
) -> ClassLists:
    """Return the lists of all classes from the frames, which must be in dataset order.

    Detections are sorted from the highest score to the lowest; equal scores are in dataset order.

    Args:
        frames: the frames' statistics.
        classes: C.
        sizes: the size ranges (indices of `AREAS`) whose AP is computed, in ascending order.
        voc: whether VOC's AP is computed; only together with the size range "all".
        recall: whether recall is computed.
    """
    order = np.lexsort((-frames.column("score"), frames.column("label")))
    order = order[: np.searchsorted(frames.column("label")[order], classes)]
    label, frame = frames.column("label")[order].astype(np.intp), frames.frame[order]
    hit, kept = unpack(frames.column("hit")[order]), ~unpack(frames.column("void")[order])
    of_voc = frames.column("voc")[order] if voc else None
    lists = []
    for size in sizes:
        hits, counts = hit[:, size], kept[:, size]
        if of_voc is not None:
            with_size = of_voc if size == 0 else np.full_like(of_voc, VOID)
            hits = np.column_stack([hits, with_size == TRUE])
            counts = np.column_stack([counts, with_size != VOID if size == 0 else counts[:, 0]])
        chosen = np.flatnonzero(counts.any(axis=1))
        lists.append(curves(frame[chosen], label[chosen], hits[chosen], counts[chosen], classes))
    rules = [(_COCO,)] * len(THRESHOLDS) + [(_VOC07, area)] * voc
    group = np.argsort(frames.column("object_label"), kind="stable")
    group = group[: np.searchsorted(frames.column("object_label")[group], classes)]
    flags = frames.column("object_flags")[group, None]
    counted = (flags & 3 == 0) & (np.right_shift(flags, np.array([2, 3, 4])) & 1).astype(np.bool_)
    reached = None
    if recall:
        matched = np.flatnonzero(hit.any(axis=(1, 2)))
        at_thresholds = _reached(hit[matched], _ranks(label * frames.count + frame)[matched])
        reached = list_sums(frame[matched], label[matched], at_thresholds, classes)
    return ClassLists(
        classes=classes,
        sizes=tuple(sizes),
        voc=voc,
        precision=AveragePrecision(joined(lists), rules),
        positives=list_sums(
            frames.object_frame[group],
            frames.column("object_label")[group],
            np.column_stack([flags & 3 == 0, counted]),
            classes,
        ),
        reached=reached,
    )


def class_metrics(lists: ClassLists, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of each class for R weighted sets; `weights` is float64[R, N].

    Returns:
        "precision": float64[S, C, R, 10], AP by size range (of `ClassLists.sizes`) and overlap threshold. "voc07" and
        "voc": float64[C, R], if VOC's AP is computed. "recall": float64[6, C, R], if recall is computed: the mean over
        the thresholds with at most 1, 10 and 100 detections per frame, and for small, medium and large objects. NaN
        where there is no object.
    """
    terms = [part.terms for part in (lists.precision, lists.positives, lists.reached) if part]
    rows = by_frame(weights, max(terms))
    positives = lists.positives(rows)
    of_sizes = np.concatenate([positives[size] for size in lists.sizes])
    found = lists.precision(rows, of_sizes).reshape(len(lists.sizes), lists.classes, -1, len(weights))
    thresholds = len(THRESHOLDS)
    metrics = {"precision": np.ascontiguousarray(found[:, :, :thresholds].swapaxes(2, 3))}
    if lists.voc:
        metrics |= {"voc07": found[0, :, thresholds].copy(), "voc": found[0, :, thresholds + 1].copy()}
    if lists.reached is not None:
        sums = lists.reached(rows)
        sums[:3] = np.cumsum(sums[:3], axis=0)
        objects = positives[[0, 0, 0, 1, 2, 3]] * thresholds
        metrics["recall"] = sums / np.where(objects > 0, objects, np.nan)
    return metrics


def _reached(hit: NDArray[np.bool_], rank: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return uint8[h, 6]: at how many thresholds each detection is a true positive.

    The first three are for objects of all sizes, if the detection is the first of its frame and class, one of the next
    9, or one of the next 90. The others are for small, medium and large objects.

    Args:
        hit: bool[h, 4, 10], whether it is a true positive, by size range and overlap threshold.
        rank: int64[h], the number of more confident detections of the class in the same frame.
    """
    reached = hit.sum(axis=2, dtype=np.uint8)
    among = np.searchsorted(np.array([1, 10, MAX_DETECTIONS]), rank, side="right")
    return np.concatenate([reached[:, :1] * (among[:, None] == np.arange(3)), reached[:, 1:]], axis=1)


def _ranks(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each entry the number of earlier entries with the same value."""
    order = np.argsort(groups, kind="stable")
    ranks = np.empty(len(groups), np.intp)
    ranks[order] = np.arange(len(groups)) - np.searchsorted(groups[order], groups[order])
    return ranks
