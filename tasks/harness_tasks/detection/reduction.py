"""Compute the detection metrics of many weighted sets of frames from the frames' statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_tasks.average_precision import area, average_precision, curves, interpolated
from harness_tasks.detection.matching import AREAS, MAX_DETECTIONS, THRESHOLDS, unpack
from harness_tasks.detection.voc import TRUE, VOID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["ClassTable", "class_metrics", "class_tables"]

_BLOCK = 1 << 17
"""Number of weights that are processed at once: 1 MiB, so that intermediate results stay in the CPU cache."""
_COCO, _VOC07 = interpolated(101), interpolated(11)


@dataclass(frozen=True)
class ClassTable:
    """The n detections and the objects of one class in F frames.

    Detections are sorted from the highest score to the lowest; equal scores are in dataset order.

    Args:
        frames: int64[F], indices of the frames with a detection or an object of the class.
        detection: int64[n], position in `frames` of each detection's frame.
        hit: bool[n, 4, 10], whether it is a true positive, by size range and overlap threshold.
        void: bool[n, 4, 10], whether it counts neither as true nor as false.
        voc: uint8[n], VOC's outcome.
        rank: int64[n], number of more confident detections of the class in the same frame.
        objects: float64[F, 4], number of objects that count, by size range.
    """

    frames: NDArray[np.int64]
    detection: NDArray[np.int64]
    hit: NDArray[np.bool_]
    void: NDArray[np.bool_]
    voc: NDArray[np.uint8]
    rank: NDArray[np.int64]
    objects: NDArray[np.float64]


def class_tables(statistics: Sequence[Statistics], classes: int) -> list[ClassTable]:
    """Return the table of each class from the statistics of the frames, which must be in dataset order."""
    detections, detection_frame = _concatenated(statistics, ("label", "score", "hit", "void", "voc"))
    objects, object_frame = _concatenated(statistics, ("object_label", "object_flags"))
    order = np.lexsort((-detections["score"], detections["label"]))
    bounds = np.searchsorted(detections["label"][order], np.arange(classes + 1))
    group = np.argsort(objects["object_label"], kind="stable")
    object_bounds = np.searchsorted(objects["object_label"][group], np.arange(classes + 1))
    flags = objects["object_flags"][:, None]
    counts = (flags & 3 == 0) & (np.right_shift(flags, np.array([2, 3, 4])) & 1).astype(np.bool_)
    counts = np.column_stack([flags & 3 == 0, counts])
    tables = []
    for index in range(classes):
        rows = order[bounds[index] : bounds[index + 1]]
        members = group[object_bounds[index] : object_bounds[index + 1]]
        frames, position = np.unique(
            np.concatenate([detection_frame[rows], object_frame[members]]), return_inverse=True
        )
        detection, object_position = position[: len(rows)], position[len(rows) :]
        object_counts = np.zeros((len(frames), len(AREAS)))
        np.add.at(object_counts, object_position, counts[members])
        hit, void = unpack(detections["hit"][rows]), unpack(detections["void"][rows])
        rank = _ranks(detection)
        tables.append(ClassTable(frames, detection, hit, void, detections["voc"][rows], rank, object_counts))
    return tables


def class_metrics(table: ClassTable, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of one class for R weighted sets; `weights` is float64[R, F], for the table's frames.

    Returns:
        "precision": float64[R, 4, 10], AP by size range and overlap threshold. "recall": float64[R, 6], the mean over
        the thresholds with at most 1, 10 and 100 detections per frame, and for small, medium and large objects. "voc07"
        and "voc": float64[R]. NaN where there is no object.
    """
    kept = ~table.void
    sizes = [np.flatnonzero(kept[:, size].any(axis=1)) for size in range(len(AREAS))]
    shapes = [curves(table.hit[chosen, size], kept[chosen, size]) for size, chosen in enumerate(sizes)]
    voc = curves((table.voc == TRUE)[:, None], (table.voc != VOID)[:, None])
    reached = _reached(table)
    precision = np.empty((len(weights), len(AREAS), len(THRESHOLDS)))
    recall = np.empty((len(weights), reached.shape[1]))
    pascal = np.empty((len(weights), 2))
    step = max(1, _BLOCK // max(1, len(table.detection)))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        positives = weights[part] @ table.objects
        detection_weights = weights[part].take(table.detection, axis=1)
        for size, chosen in enumerate(sizes):
            if not table.objects[:, size].any():
                precision[part, size] = np.nan
                continue
            chosen_weights = (
                detection_weights
                if len(chosen) == detection_weights.shape[1]
                else detection_weights.take(chosen, axis=1)
            )
            ap = average_precision(chosen_weights, shapes[size], positives[:, size], (_COCO,))
            precision[part, size] = ap[:, :, 0]
        pascal[part] = average_precision(detection_weights, voc, positives[:, 0], (_VOC07, area))[:, 0]
        objects = positives[:, [0, 0, 0, 1, 2, 3]] * len(THRESHOLDS)
        recall[part] = (detection_weights @ reached) / np.where(objects > 0, objects, np.nan)
    return {"precision": precision, "recall": recall, "voc07": pascal[:, 0], "voc": pascal[:, 1]}


def _reached(table: ClassTable) -> NDArray[np.float64]:
    """Return float64[n, 6]: at how many thresholds each detection counts as a hit, for each kind of recall."""
    reached = table.hit.sum(axis=2, dtype=np.float64)
    limited = reached[:, :1] * (table.rank[:, None] < np.array([1, 10, MAX_DETECTIONS]))
    return np.concatenate([limited, reached[:, 1:]], axis=1)


def _concatenated(
    statistics: Sequence[Statistics], names: Sequence[str]
) -> tuple[Mapping[str, NDArray[Any]], NDArray[Any]]:
    """Concatenate the named arrays of all frames, and return them with the frame index of each row."""
    joined = {name: np.concatenate([frame[name] for frame in statistics]) for name in names}
    return joined, np.repeat(np.arange(len(statistics)), [len(frame[names[0]]) for frame in statistics])


def _ranks(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each entry the number of earlier entries with the same value."""
    order = np.argsort(frames, kind="stable")
    ranks = np.empty(len(frames), np.int64)
    ranks[order] = np.arange(len(frames)) - np.searchsorted(frames[order], frames[order])
    return ranks
