"""Match the detections of one frame to its objects: the sufficient statistics of all detection metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SampleError
from harness_tasks.detection.voc import voc_outcomes
from harness_tasks.ranking import STEPS, THRESHOLDS, in_range, match, pack, steps
from harness_tasks.ranking import unpack as unpack_ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.types import Boxes, Detections

__all__ = ["AREAS", "MAX_DETECTIONS", "STEPS", "THRESHOLDS", "frame_statistics", "overlaps", "unpack"]

AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's size ranges in square pixels, both ends included (an object of 1024 square pixels is small and medium)."""
MAX_DETECTIONS = 100
"""The largest number of detections per class and frame that COCO's metrics use."""
_LIMITS = np.array(list(AREAS.values()))


def frame_statistics(prediction: Detections, target: Boxes) -> dict[str, NDArray[Any]]:
    """Return the statistics of one frame with N detections and M objects.

    The detections are sorted by class, and within a class by decreasing confidence.

    Returns:
        score: float32[N], confidence.
        label: uint8 or uint16[N], the detection's class.
        hit: uint8[N, 5], packed bits (see `unpack`): whether it is a true positive, by size range and overlap
            threshold.
        void: uint8[N, 5], packed bits: whether it counts neither as true nor as false (it matches a crowd or a
            difficult object, belongs to another size range, or is beyond the first 100 of its class).
        voc: uint8[N], VOC's outcome at overlap 0.5: 0 false, 1 true, 2 void.
        own: uint8[N], largest overlap with an object of the detection's own class (without crowds), in 1/200.
        any: uint8[N], largest overlap with an object of any class (without crowds), in 1/200.
        object: uint8 or uint16[N], the index of the object with this largest overlap; 0 where `any` is 0.
        object_label: uint8 or uint16[M], the object's class.
        object_flags: uint8[M], bit 0: crowd; bit 1: difficult; bits 2, 3, 4: small, medium, large.
        object_area: float32[M], square pixels.
        object_found: uint16[M], bit t: matched at THRESHOLDS[t] (in the size range "all").
        object_own: uint8[M], largest overlap with a detection of its class, in 1/200.
        object_any: uint8[M], largest overlap with a detection of any class, in 1/200.

    Raises:
        SampleError: the model returned scores or boxes that are not finite.
    """
    if not (np.isfinite(prediction.scores).all() and np.isfinite(prediction.boxes).all()):
        raise SampleError("the model gave detections with boxes or scores that are not finite numbers.")
    order = np.lexsort((-prediction.scores, prediction.labels))
    labels, scores = prediction.labels[order], prediction.scores[order]
    corners = prediction.boxes[order].astype(np.float64)
    shares, crowd_shares = overlaps(corners, target.boxes)
    same = labels[:, None] == target.labels[None, :]
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)

    own, without_crowds = np.where(same, shares, 0.0), shares
    share, crowd_share = own, None
    if target.crowd.any():
        share = np.where(same, np.where(target.crowd, crowd_shares, shares), 0.0)
        crowd_share = np.where(same & target.crowd, crowd_shares, 0.0)
        without_crowds, own = np.where(target.crowd, 0.0, shares), np.where(target.crowd, 0.0, own)
    small_to_large = in_range(target.area, _LIMITS)
    ignored = ~small_to_large | (target.crowd | target.difficult)[:, None]
    sizes = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    hits, voids, object_matches = match(share, ignored, target.crowd, in_range(sizes, _LIMITS), rank, MAX_DETECTIONS)

    best = without_crowds.argmax(axis=1) if without_crowds.shape[1] else np.zeros(len(labels), np.int64)
    flags = target.crowd | (target.difficult * 2) | (small_to_large[:, 1:] @ np.array([4, 8, 16]))
    return {
        "score": scores.astype(np.float32),
        "label": _compact(labels),
        "hit": pack(hits, len(AREAS)),
        "void": pack(voids, len(AREAS)),
        "voc": voc_outcomes(own, crowd_share, target.difficult),
        "own": steps(own.max(axis=1, initial=0.0)),
        "any": steps(without_crowds.max(axis=1, initial=0.0)),
        "object": _compact(best),
        "object_label": _compact(target.labels),
        "object_flags": flags.astype(np.uint8),
        "object_area": target.area.astype(np.float32),
        "object_found": np.array(object_matches, np.uint16),
        "object_own": steps(own.max(axis=0, initial=0.0)),
        "object_any": steps(without_crowds.max(axis=0, initial=0.0)),
    }


def overlaps(
    detections: NDArray[np.float64], objects: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intersection over union, and intersection over the detection's area (COCO's overlap with a crowd).

    The boxes have exclusive corners, and areas are width times height. VOC's corners are inclusive, and its areas add 1
    to each side; both give the same numbers.

    Args:
        detections: float64[N, 4], x1, y1, x2, y2.
        objects: float64[M, 4], x1, y1, x2, y2.

    Returns:
        float64[N, M] each.
    """
    top_left = np.maximum(detections[:, None, :2], objects[None, :, :2])
    sides = np.minimum(detections[:, None, 2:], objects[None, :, 2:]) - top_left
    shared = np.where((sides > 0).all(axis=2), sides[..., 0] * sides[..., 1], 0.0)
    size = ((detections[:, 2] - detections[:, 0]) * (detections[:, 3] - detections[:, 1]))[:, None]
    object_size = ((objects[:, 2] - objects[:, 0]) * (objects[:, 3] - objects[:, 1]))[None, :]
    tiny = np.finfo(np.float64).tiny
    return shared / np.maximum(size + object_size - shared, tiny), shared / np.maximum(size, tiny)


def unpack(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Unpack uint8[N, 5] to bool[N, 4, 10], by size range and overlap threshold."""
    return unpack_ranges(bits, len(AREAS))


def _compact(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Convert to uint8 if the numbers fit, else to uint16."""
    return numbers.astype(np.uint8 if numbers.max(initial=0) < 256 else np.uint16)
