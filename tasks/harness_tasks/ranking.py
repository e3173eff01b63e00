"""Matching detections to objects as COCO does, whatever says how well the two agree (boxes' overlap, OKS).

COCO's matching (`COCOeval.evaluateImg` of pycocotools 2.0) goes through the detections of one class in one frame from
the most confident down, and gives each the free object that it agrees with most. It is done here for all ten
thresholds at once, one bit a threshold: a pair of a detection and an object knows the thresholds it reaches, an object
the thresholds at which it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STEPS", "THRESHOLDS", "in_range", "match", "pack", "steps", "unpack"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""The thresholds at which COCO's AP is averaged, as pycocotools computes them."""
STEPS = 200
"""Stored overlaps are whole steps of 1/200, rounded down: 0.1, 0.5 and every COCO threshold lie on a step."""

_ALL = (1 << len(THRESHOLDS)) - 1
_REACHES = np.minimum(THRESHOLDS, 1 - 1e-10)

_Pairs = list[tuple[int, int]]
"""The objects that a detection may match, best first: index of the object, bits of the thresholds it reaches."""


def match(
    share: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    rank: NDArray[np.int64],
    limit: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], list[int]]:
    """What the detections of one frame match, the most confident of each class first, in A size ranges.

    Args:
        share: float64[N, M], how well each detection agrees with each object; 0 for one of another class.
        ignored: bool[M, A], objects that do not count: neither missed nor, by what matches them, false.
        crowd: bool[M], objects that any number of detections may match.
        inside: bool[N, A], whether a detection's own size lies in the range; one that does not is void unmatched.
        rank: int64[N], each detection's place among those of its class.
        limit: how many detections of a class are looked at; the rest is void.

    Returns:
        Hits and voids of every detection, uint64[N] of ten bits a size range (`pack`, `unpack`), and for each object
        the bits of the thresholds at which it was matched in the first size range.
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
    """The pairs that reach a threshold, by detection: the larger share first, of equal ones the later object."""
    rows, columns = np.nonzero(share >= _REACHES[0])
    reached = share[rows, columns]
    order = np.lexsort((-columns, -reached, rows))
    bits = (1 << np.searchsorted(_REACHES, reached[order], side="right")) - 1
    found: dict[int, _Pairs] = {}
    for row, column, bit in zip(rows[order].tolist(), columns[order].tolist(), bits.tolist(), strict=True):
        if rank[row] < limit:
            found.setdefault(row, []).append((column, bit))
    return found


def pack(bits: NDArray[np.uint64], ranges: int) -> NDArray[np.uint8]:
    """uint64[N] of ten bits for each of so many size ranges, as whole bytes: uint8[N, bytes]."""
    return bits.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : _bytes(ranges)].copy()


def unpack(packed: NDArray[np.uint8], ranges: int) -> NDArray[np.bool_]:
    """bool[N, ranges, 10] of the packed bits."""
    count = ranges * len(THRESHOLDS)
    flat = np.unpackbits(packed.reshape(-1, _bytes(ranges)), axis=1, bitorder="little", count=count)
    return flat.reshape(-1, ranges, len(THRESHOLDS)).view(np.bool_)


def _bytes(ranges: int) -> int:
    return -(-ranges * len(THRESHOLDS) // 8)


def steps(overlap: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Overlaps of 0-1 in whole steps of 1/200, rounded down."""
    return (overlap * STEPS).astype(np.uint8)


def in_range(area: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[n, A]: whether areas lie in size ranges float64[A, 2], both ends included."""
    return (area[:, None] >= limits[:, 0]) & (area[:, None] <= limits[:, 1])
