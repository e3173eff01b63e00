"""Match detections to objects as COCO does, with any similarity measure (overlap of boxes, or OKS).

COCO's matching (`COCOeval.evaluateImg` of pycocotools 2.0) goes through the detections of one class in one frame, the
most confident first. It assigns each detection to the free object with the largest similarity. Here this is done for
all ten thresholds at once, with one bit per threshold: each pair of a detection and an object has the bits of the
thresholds that it reaches, and each object has the bits of the thresholds at which it is already matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STEPS", "THRESHOLDS", "first_bit", "in_range", "match", "pack", "steps", "unpack"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""The ten thresholds over which COCO averages AP, computed as in pycocotools."""
STEPS = 200
"""Overlaps are stored as multiples of 1/200, rounded down. 0.1, 0.5 and all COCO thresholds are such multiples."""

_ALL = (1 << len(THRESHOLDS)) - 1
_REACHES = np.minimum(THRESHOLDS, 1 - 1e-10)

_Pairs = list[tuple[int, int]]
"""The objects that a detection may match, the most similar first: (index of the object, bits of its thresholds)."""


def match(
    share: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    rank: NDArray[np.int64],
    limit: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], list[int]]:
    """Match the detections of one frame to its objects, for A size ranges and ten thresholds.

    Detections must be sorted: within each class, the most confident first.

    Args:
        share: float64[N, M], similarity of each detection and object, 0-1; 0 for an object of another class.
        ignored: bool[M, A], objects that do not count: they are no misses, and detections that match them are void.
        crowd: bool[M], objects that any number of detections may match.
        inside: bool[N, A], whether the detection's own size is in the size range. If not, it is void when unmatched.
        rank: int64[N], position of each detection among those of its class.
        limit: the number of detections per class that are used; the others are void.

    Returns:
        Hits and voids of the detections, each uint64[N] with ten bits per size range (see `pack` and `unpack`). A hit
        is a true positive; a void detection counts neither as true nor as false. Then, for each object, the bits of the
        thresholds at which it was matched in the first size range.
    """
    count, ranges = inside.shape
    shifts = np.arange(ranges, dtype=np.uint64) * np.uint64(len(THRESHOLDS))
    hits = np.zeros(count, np.uint64)
    voids = (np.where(inside, 0, _ALL).astype(np.uint64) << shifts).sum(axis=1, dtype=np.uint64)
    voids[rank >= limit] = (1 << (ranges * len(THRESHOLDS))) - 1
    crowds, skips, held_sizes = crowd.tolist(), ignored.T.tolist(), inside.tolist()
    taken = [[0] * len(crowds) for _ in range(ranges)]
    for row, candidates in _pairs(share, rank, limit).items():
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
            void |= (_ALL ^ matched ^ (left if held_sizes[row][size] else 0)) << shift
        hits[row], voids[row] = hit, void
    return hits, voids, taken[0]


def _pairs(share: NDArray[np.float64], rank: NDArray[np.int64], limit: int) -> Mapping[int, _Pairs]:
    """Return the matchable objects of each detection: the largest similarity first; of equal ones, the later object
    first."""
    rows, columns = np.nonzero(share >= _REACHES[0])
    reached = share[rows, columns]
    order = np.lexsort((-columns, -reached, rows))
    bits = (1 << np.searchsorted(_REACHES, reached[order], side="right")) - 1
    pairs: dict[int, _Pairs] = {}
    for row, column, bit in zip(rows[order].tolist(), columns[order].tolist(), bits.tolist(), strict=True):
        if rank[row] < limit:
            pairs.setdefault(row, []).append((column, bit))
    return pairs


def pack(bits: NDArray[np.uint64], ranges: int) -> NDArray[np.uint8]:
    """Pack uint64[N], with ten bits for each of `ranges` size ranges, into whole bytes: uint8[N, bytes]."""
    return bits.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : _bytes(ranges)].copy()


def unpack(packed: NDArray[np.uint8], ranges: int) -> NDArray[np.bool_]:
    """Unpack the bits that `pack` packed, as bool[N, ranges, 10]."""
    count = ranges * len(THRESHOLDS)
    flat = np.unpackbits(packed.reshape(-1, _bytes(ranges)), axis=1, bitorder="little", count=count)
    return flat.reshape(-1, ranges, len(THRESHOLDS)).view(np.bool_)


def first_bit(packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return `unpack(packed, ranges)[:, 0, 0]`, bool[N]: the first size range at the lowest threshold."""
    return (packed[:, 0] & 1).view(np.bool_)


def _bytes(ranges: int) -> int:
    return -(-ranges * len(THRESHOLDS) // 8)


def steps(overlap: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert overlaps 0-1 to multiples of 1/200, rounded down."""
    return (overlap * STEPS).astype(np.uint8)


def in_range(area: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return bool[n, A]: whether each area is in each size range of float64[A, 2], both ends included."""
    return (area[:, None] >= limits[:, 0]) & (area[:, None] <= limits[:, 1])
