"""Sums of the weights of frames, for many weighted sets of frames at once.

The weights are kept with one row for each frame and one column for each set. So every operation works on whole rows,
all sets at once, and to choose frames is to copy rows. The weights of resamples are whole numbers. Their sums are then
exact in any order, and also in float32 as long as they stay below 2^24.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accumulate", "by_frame", "list_sums", "sums_up_to"]

_EXACT = 1 << 24
"""Whole numbers below it, and their sums, are exact in float32."""
_BLOCK = 1 << 18
"""Number of weights that are summed up at once: 1 MiB, so that they stay in the CPU cache."""
_NARROW = 8
"""With fewer columns than this, a plain `ufunc.accumulate` is faster."""


def by_frame(weights: NDArray[np.float64], terms: int) -> NDArray[Any]:
    """Return weights float64[R, N] as an array [N, R]: float32 if all sums of them are exact in it, else float64.

    Args:
        weights: the weight of each of N frames in each of R sets.
        terms: the largest number of weights that are summed up.
    """
    rows = weights.T
    largest = float(weights.max(initial=0.0))
    exact = largest * terms < _EXACT and float(weights.min(initial=0.0)) >= 0 and bool((weights == np.rint(weights)).all())
    return np.ascontiguousarray(rows, np.float32 if exact else np.float64)


def accumulate(operation: np.ufunc, rows: NDArray[Any]) -> None:
    """Replace each row by the operation's result over all rows up to it (in place), as `operation.accumulate` does.

    First groups of rows are accumulated, all groups at once, then each group is combined with the one before it. This
    is faster, because each step works on whole rows, and gives the same if the operation is exact.

    Args:
        operation: an associative operation of two arrays: `np.add` or `np.maximum`.
        rows: float[n, R]; rows may be in reverse order in memory.
    """
    count, width = rows.shape
    if width < _NARROW:
        rows[:] = operation.accumulate(rows, axis=0)
        return
    size = max(1, round((count / 2) ** 0.5)) if count > 2 * _NARROW else count
    groups = count // size
    grouped = np.lib.stride_tricks.as_strided(
        rows, (groups, size, width), (size * rows.strides[0], *rows.strides), writeable=True
    )
    if groups > 1:
        for place in range(1, size):
            operation(grouped[:, place], grouped[:, place - 1], out=grouped[:, place])
        for group in range(1, groups):
            operation(grouped[group], grouped[group - 1, -1], out=grouped[group])
    for row in range(groups * size if groups > 1 else 1, count):
        operation(rows[row], rows[row - 1], out=rows[row])


def sums_up_to(
    weights: NDArray[Any], chosen: NDArray[np.intp], stops: NDArray[np.intp], sign: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return [d, R]: for each of d stops, the sums of the weights of the first `stop` of the chosen frames.

    Args:
        weights: [N, R], the weight of each frame in each set.
        chosen: int64[n], indices of frames; a frame may occur several times.
        stops: int64[d], ascending, 0 to n.
        sign: float[n], a factor for each chosen frame; 1 by default.
    """
    width = weights.shape[1]
    result = np.empty((len(stops), width), weights.dtype)
    step = max(32, _BLOCK // max(1, width))
    last = int(stops[-1]) if len(stops) else 0
    block = np.zeros((min(step, last) + 1, width), weights.dtype)
    for start in range(0, max(1, last), step):
        end = min(start + step, last)
        sums = block[: end - start + 1]
        weights.take(chosen[start:end], axis=0, out=sums[1:], mode="clip")
        if sign is not None:
            sums[1:] *= sign[start:end, None]
        accumulate(np.add, sums)
        first, after = np.searchsorted(stops, [start, end if end < last else end + 1])
        sums.take(stops[first:after] - start, axis=0, out=result[first:after], mode="clip")
        block[0] = sums[-1]
    return result


def list_sums(
    weights: NDArray[Any], chosen: NDArray[np.intp], counts: NDArray[Any], bounds: Sequence[int]
) -> NDArray[np.float64]:
    """Return float64[U, K, R]: for each of U lists of frames, K sums of counts times the frames' weights.

    Args:
        weights: [N, R], the weight of each frame in each set.
        chosen: int64[n], indices of frames, list by list.
        counts: [n, K], the counts of each chosen frame.
        bounds: U + 1 positions in `chosen`, where a list begins, and the last one ends.
    """
    sums = np.zeros((len(bounds) - 1, counts.shape[1], weights.shape[1]))
    factors = np.ascontiguousarray(counts.T, weights.dtype)
    for place, (start, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        if start < end:
            sums[place] = factors[:, start:end] @ weights.take(chosen[start:end], axis=0)
    return sums
