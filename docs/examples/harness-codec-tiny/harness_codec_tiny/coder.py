"""An entropy coder (rANS) for numbers whose distributions are known to both sides as whole frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOTAL", "compress", "expand", "frequencies"]

_BITS = 16
TOTAL = 1 << _BITS
"""What the frequencies of a distribution add up to."""
_LOWEST = 1 << 23


def frequencies(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return whole frequencies int64[C, S] of at least 1 that add up to `TOTAL`, for probabilities float64[C, S]."""
    count = probabilities.shape[1]
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    whole = 1 + np.floor(shares * (TOTAL - count)).astype(np.int64)
    whole[np.arange(len(whole)), whole.argmax(axis=1)] += TOTAL - whole.sum(axis=1)
    return whole


def compress(symbols: NDArray[np.int64], rows: NDArray[np.int64], table: NDArray[np.int64]) -> bytes:
    """Return symbols int64[N] as bytes.

    Args:
        symbols: the symbols, from 0 up to S.
        rows: the row of the table that each symbol is distributed by, int64[N].
        table: frequencies int64[C, S].
    """
    starts = np.cumsum(table, axis=1) - table
    widths, lows = table[rows, symbols].tolist(), starts[rows, symbols].tolist()
    state, out = _LOWEST, bytearray()
    for width, low in zip(reversed(widths), reversed(lows), strict=True):
        while state >= (_LOWEST >> _BITS << 8) * width:
            out.append(state & 255)
            state >>= 8
        state = (state // width << _BITS) + state % width + low
    return state.to_bytes(4, "big") + bytes(reversed(out))


def expand(data: bytes, rows: NDArray[np.int64], table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the symbols of `compress`, int64[N].

    Raises:
        ValueError: the bytes end too early.
    """
    ends = np.cumsum(table, axis=1)
    widths, lows = table.tolist(), (ends - table).tolist()
    of_slot = [np.repeat(np.arange(table.shape[1]), row).tolist() for row in table]
    state, place, out = int.from_bytes(data[:4], "big"), 4, []
    for row in rows.tolist():
        slot = state & (TOTAL - 1)
        symbol = of_slot[row][slot]
        state = widths[row][symbol] * (state >> _BITS) + slot - lows[row][symbol]
        while state < _LOWEST:
            if place >= len(data):
                raise ValueError("the stream ends too early")
            state = state << 8 | data[place]
            place += 1
        out.append(symbol)
    return np.array(out, np.int64)
