"""Sums of the weights of frames, for many weighted sets of frames at once.

The weights are kept with one row for each frame and one column for each set. So every operation works on whole rows,
all sets at once, and to choose frames is to copy rows. The weights of resamples are whole numbers. Their sums are then
exact in any order, and also in float32 as long as they stay below 2^24.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GapSums", "ListSums", "accumulate", "by_frame", "gap_sums", "list_sums"]

_EXACT = 1 << 24
"""Whole numbers below it, and their sums, are exact in float32."""
_ROWS = 1 << 10
"""The number of frames whose weights are added up at once, so that they stay in the CPU cache."""
_NARROW, _WIDE = 8, 1024
"""Numbers of columns up to which a plain `ufunc.accumulate` is fastest, and from which one row after the other is."""


def by_frame(weights: NDArray[np.float64], terms: int) -> NDArray[Any]:
    """Return weights float64[R, N] as an array [N, R]: float32 if all sums of them are exact in it, else float64.

    Args:
        weights: the weight of each of N frames in each of R sets.
        terms: the largest number of weights that are summed up.
    """
    rows = weights.T
    smallest, largest = float(weights.min(initial=0.0)), float(weights.max(initial=0.0))
    exact = smallest >= 0 and largest * terms < _EXACT and bool((rows == np.rint(rows)).all())
    return np.ascontiguousarray(rows, np.float32 if exact else np.float64)


def accumulate(operation: np.ufunc, rows: NDArray[Any]) -> None:
    """Replace each row by the operation's result over all rows up to it (in place), as `operation.accumulate` does.

    Rows that are not wide are accumulated in groups, all groups at once; then each group is combined with the one
    before it. That is faster, because each step works on more numbers, and gives the same if the operation is exact.

    Args:
        operation: an associative operation of two arrays: `np.add` or `np.maximum`.
        rows: float[n, R]; they may be in reverse order in memory.
    """
    count, width = rows.shape
    if width <= _NARROW:
        rows[:] = operation.accumulate(rows, axis=0)
        return
    size = count if width >= _WIDE or count < 2 * _NARROW else round((count / 2) ** 0.5)
    groups = count // size if count else 0
    if groups > 1:
        strides = (size * rows.strides[0], *rows.strides)
        grouped = np.lib.stride_tricks.as_strided(rows, (groups, size, width), strides)
        for place in range(1, size):
            operation(grouped[:, place], grouped[:, place - 1], out=grouped[:, place])
        for group in range(1, groups):
            operation(grouped[group], grouped[group - 1, -1], out=grouped[group])
    for row in range(groups * size if groups > 1 else 1, count):
        operation(rows[row], rows[row - 1], out=rows[row])


@dataclass(frozen=True)
class GapSums:
    """Sums over gaps: over the chosen frames between each stop and the one before it. See `gap_sums`.

    Args:
        parts: gaps of the same length g: g, their number n, the frames int64[g * n] (the first of each gap, then the
            second of each, ...), and their factors (or None).
        row: int64[D], the row of each gap's sum in the result: gaps of equal length are neighbours.
    """

    parts: tuple[tuple[int, int, NDArray[np.intp], NDArray[Any] | None], ...]
    row: NDArray[np.intp]

    def __call__(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return the sums [D, R] for weights [N, R], in the rows `row`; 0 for an empty gap."""
        width = weights.shape[1]
        result = np.zeros((len(self.row), width), weights.dtype)
        first = 0
        for length, count, frames, factors in self.parts:
            sums = result[first : first + count]
            first += count
            if length == 1 and factors is None:
                weights.take(frames, axis=0, out=sums, mode="clip")
                continue
            step = max(1, _ROWS // count) * count
            for start in range(0, len(frames), step):
                rows = weights.take(frames[start : start + step], axis=0)
                if factors is not None:
                    rows *= factors[start : start + step, None]
                sums += np.add.reduce(rows.reshape(-1, count * width), axis=0).reshape(count, width)
        return result


def gap_sums(chosen: NDArray[np.intp], stops: NDArray[np.intp], factors: NDArray[Any] | None = None) -> GapSums:
    """Prepare the sums of the weights of chosen frames, from each stop to the next.

    Args:
        chosen: int64[n], indices of frames; a frame may occur several times.
        stops: int64[D], ascending, 0 to n: the first gap is from 0 to the first stop, and so on.
        factors: [n], a factor for the weight of each chosen frame; 1 by default.
    """
    lengths = np.diff(stops, prepend=0)
    order = np.lexsort((lengths, lengths == 0))
    row = np.empty(len(order), np.intp)
    row[order] = np.arange(len(order))
    order = order[: np.count_nonzero(lengths)]
    firsts = [*np.flatnonzero(np.diff(lengths[order], prepend=0)).tolist(), len(order)]
    parts = []
    for first, last in itertools.pairwise(firsts):
        length = int(lengths[order[first]])
        step = max(1, _ROWS // length)
        for start in range(first, last, step):
            gaps = order[start : min(start + step, last)]
            places = (stops[gaps] - length + np.arange(length)[:, None]).ravel()
            parts.append((length, len(gaps), chosen[places], None if factors is None else factors[places]))
    return GapSums(tuple(parts), row)


@dataclass(frozen=True)
class ListSums:
    """Sums over lists of frames of counts times the frames' weights. See `list_sums`.

    Args:
        lists: the number of lists (U).
        kinds: for each kind of count, the sums over its frames.
        terms: the largest sum if each frame has the weight 1.
    """

    lists: int
    kinds: tuple[GapSums, ...]
    terms: int

    def __call__(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sums float64[K, U, R] for weights [N, R]."""
        sums = np.empty((len(self.kinds), self.lists, weights.shape[1]))
        for kind, of_kind in zip(self.kinds, sums, strict=True):
            of_kind[:] = kind(weights)[kind.row]
        return sums


def list_sums(chosen: NDArray[np.intp], member: NDArray[np.intp], counts: NDArray[Any], lists: int) -> ListSums:
    """Prepare the sums of counts times the weights of frames, for each list of frames and each kind of count.

    Args:
        chosen: int64[n], indices of frames.
        member: int64[n], the number of each frame's list, ascending.
        counts: int or bool[n, K], the counts of each frame.
        lists: U, the number of lists.
    """
    kinds, largest = [], 0
    for count in counts.T:
        some = np.flatnonzero(count)
        factors = count[some].astype(np.float32)
        stops = np.searchsorted(member[some], np.arange(1, lists + 1))
        kinds.append(gap_sums(chosen[some], stops, factors if (factors != 1).any() else None))
        largest = max(largest, int(np.bincount(member, count, lists).max(initial=0.0)))
    return ListSums(lists, tuple(kinds), largest)
