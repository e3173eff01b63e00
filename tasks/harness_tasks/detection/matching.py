"""What each detection of one frame matched: the sufficient statistics of every detection metric.

COCO's matching (`COCOeval.evaluateImg` of pycocotools 2.0) goes through the detections of one class in one frame from
the most confident down, and gives each the free object that it overlaps most. It is done here for all ten overlap
thresholds at once, one bit a threshold: a pair of a detection and an object knows the thresholds it reaches, an
object the thresholds at which it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SampleError
from harness_tasks.detection.voc import voc_outcomes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.types import Boxes, Detections

__all__ = ["AREAS", "MAX_DETECTIONS", "STEPS", "THRESHOLDS", "frame_statistics", "overlaps", "unpack"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""The overlaps at which COCO's AP is averaged, as pycocotools computes them."""
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's size ranges in square pixels, both ends included (an object of 1024 is small and medium)."""
MAX_DETECTIONS = 100
"""How many detections of one class in one frame COCO's metrics look at."""
STEPS = 200
"""Stored overlaps are whole steps of 1/200, rounded down: 0.1, 0.5 and every COCO threshold lie on a step."""

_ALL = (1 << len(THRESHOLDS)) - 1
_REACHES = np.minimum(THRESHOLDS, 1 - 1e-10)
_SHIFTS = np.arange(len(AREAS), dtype=np.uint64) * np.uint64(len(THRESHOLDS))
_LIMITS = np.array(list(AREAS.values()))
_PACKED_BYTES = len(AREAS) * len(THRESHOLDS) // 8

_Pairs = list[tuple[int, int]]
"""The objects that a detection may match, best first: index of the object, bits of the thresholds it reaches."""


def frame_statistics(prediction: Detections, target: Boxes) -> dict[str, NDArray[Any]]:
    """The statistics of one frame: N detections (by class, then from the most confident down) and M objects.

    Returns:
        score: float32[N], confidence.
        label: uint8 or uint16[N], the detection's class.
        hit: uint8[N, 5], bits (`unpack`): at (size range, overlap threshold), a true positive.
        void: uint8[N, 5], likewise: counts neither as true nor as false (a crowd, a difficult object, another size
            range, or beyond the first 100 of its class).
        voc: uint8[N], VOC's outcome at overlap 0.5: 0 false, 1 true, 2 void.
        own: uint8[N], largest overlap with an object of the detection's own class (crowds left out), in 1/200.
        any: uint8[N], largest overlap with an object of any class, in 1/200.
        object: uint8 or uint16[N], the index of that object; 0 where `any` is 0.
        object_label: uint8 or uint16[M].
        object_flags: uint8[M], bit 0 crowd, bit 1 difficult, bits 2 to 4 whether it is small, medium, large.
        object_area: float32[M], square pixels.
        object_found: uint16[M], bit t: matched at THRESHOLDS[t] (in the size range "all").
        object_own: uint8[M], largest overlap with a detection of its class, in 1/200.
        object_any: uint8[M], largest overlap with a detection of any class, in 1/200.

    Raises:
        SampleError: the model gave numbers that are none.
    """
    if not (np.isfinite(prediction.scores).all() and np.isfinite(prediction.boxes).all()):
        raise SampleError("the model gave detections with boxes or scores that are not finite numbers.")
    order = np.lexsort((-prediction.scores, prediction.labels))
    labels, scores = prediction.labels[order], prediction.scores[order]
    corners = prediction.boxes[order].astype(np.float64)
    shares, covers = overlaps(corners, target.boxes)
    same = labels[:, None] == target.labels[None, :]
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)

    pairs = _pairs(np.where(same, np.where(target.crowd, covers, shares), 0.0), rank)
    small_to_large = _in_range(target.area)
    ignored = ~small_to_large | (target.crowd | target.difficult)[:, None]
    sizes = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    hits, voids, found = _match(pairs, ignored, target.crowd, _in_range(sizes), rank)

    solid = np.where(target.crowd, 0.0, shares)
    own = np.where(same, solid, 0.0)
    best = solid.argmax(axis=1) if solid.shape[1] else np.zeros(len(labels), np.int64)
    flags = target.crowd | (target.difficult * 2) | (small_to_large[:, 1:] @ np.array([4, 8, 16]))
    return {
        "score": scores.astype(np.float32),
        "label": _compact(labels),
        "hit": _pack(hits),
        "void": _pack(voids),
        "voc": voc_outcomes(own, np.where(same & target.crowd, covers, 0.0), target.difficult),
        "own": _steps(own.max(axis=1, initial=0.0)),
        "any": _steps(solid.max(axis=1, initial=0.0)),
        "object": _compact(best),
        "object_label": _compact(target.labels),
        "object_flags": flags.astype(np.uint8),
        "object_area": target.area.astype(np.float32),
        "object_found": np.array(found, np.uint16),
        "object_own": _steps(own.max(axis=0, initial=0.0)),
        "object_any": _steps(solid.max(axis=0, initial=0.0)),
    }


def overlaps(
    detections: NDArray[np.float64], objects: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intersection over union, and intersection over the detection's area (COCO's overlap with a crowd).

    Plain areas of boxes with exclusive corners: the same numbers as VOC's inclusive pixel counts (+1) on corners that
    include their last pixel.

    Args:
        detections: float64[N, 4], x1, y1, x2, y2.
        objects: float64[M, 4].

    Returns:
        float64[N, M] each.
    """
    top_left = np.maximum(detections[:, None, :2], objects[None, :, :2])
    sides = np.minimum(detections[:, None, 2:], objects[None, :, 2:]) - top_left
    shared = np.where((sides > 0).all(axis=2), sides[..., 0] * sides[..., 1], 0.0)
    size = ((detections[:, 2] - detections[:, 0]) * (detections[:, 3] - detections[:, 1]))[:, None]
    other = ((objects[:, 2] - objects[:, 0]) * (objects[:, 3] - objects[:, 1]))[None, :]
    tiny = np.finfo(np.float64).tiny
    return shared / np.maximum(size + other - shared, tiny), shared / np.maximum(size, tiny)


def unpack(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool[N, 4, 10] (size range, overlap threshold) of the packed uint8[N, 5]."""
    flat = np.unpackbits(bits.reshape(-1, _PACKED_BYTES), axis=1, bitorder="little")
    return flat.reshape(-1, len(AREAS), len(THRESHOLDS)).view(np.bool_)


def _pack(bits: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return bits.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_PACKED_BYTES].copy()


def _steps(overlap: NDArray[np.float64]) -> NDArray[np.uint8]:
    return (overlap * STEPS).astype(np.uint8)


def _compact(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """uint8 where it suffices, else uint16."""
    return numbers.astype(np.uint8 if numbers.max(initial=0) < 256 else np.uint16)


def _in_range(area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[n, 4]: whether an area lies in each size range."""
    return (area[:, None] >= _LIMITS[:, 0]) & (area[:, None] <= _LIMITS[:, 1])


def _pairs(share: NDArray[np.float64], rank: NDArray[np.int64]) -> dict[int, _Pairs]:
    """The pairs that reach a threshold, by detection: the larger overlap first, of equal ones the later object."""
    rows, columns = np.nonzero(share >= _REACHES[0])
    reached = share[rows, columns]
    order = np.lexsort((-columns, -reached, rows))
    bits = (1 << np.searchsorted(_REACHES, reached[order], side="right")) - 1
    found: dict[int, _Pairs] = {}
    for row, column, bit in zip(rows[order].tolist(), columns[order].tolist(), bits.tolist(), strict=True):
        if rank[row] < MAX_DETECTIONS:
            found.setdefault(row, []).append((column, bit))
    return found


def _match(
    pairs: Mapping[int, _Pairs],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    in_range: NDArray[np.bool_],
    rank: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], list[int]]:
    """Hits and voids of every detection (10 bits a size range), and what was found of every object ("all")."""
    hits = np.zeros(len(rank), np.uint64)
    voids = (np.where(in_range, 0, _ALL).astype(np.uint64) << _SHIFTS).sum(axis=1, dtype=np.uint64)
    voids[rank >= MAX_DETECTIONS] = (1 << (len(AREAS) * len(THRESHOLDS))) - 1
    crowds, skips, inside = crowd.tolist(), ignored.T.tolist(), in_range.tolist()
    taken = [[0] * len(crowds) for _ in AREAS]
    for row, candidates in pairs.items():
        hit = void = 0
        for size, (skip, held) in enumerate(zip(skips, taken, strict=True)):
            left = _ALL
            for column, bits in candidates:
                if not skip[column] and (bits := bits & left & ~held[column]):
                    held[column] |= bits
                    left ^= bits
            matched = _ALL ^ left
            for column, bits in candidates:
                if skip[column] and (bits := bits & left & (_ALL if crowds[column] else ~held[column])):
                    held[column] |= bits
                    left ^= bits
            shift = size * len(THRESHOLDS)
            hit |= matched << shift
            void |= (_ALL ^ matched ^ (left if inside[row][size] else 0)) << shift
        hits[row], voids[row] = hit, void
    return hits, voids, taken[0]
