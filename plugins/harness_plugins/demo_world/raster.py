"""Rasterise convex polygons with integers only.

Corners are rounded to 1/16 of a canvas pixel. A pixel belongs to a polygon if its centre is inside. Integer arithmetic
gives the same result on every processor; Pillow and other rasterisers use floats, whose rounding may differ.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.geometry import Pixel

_UNIT = 16
_FAR = 8192.0  # corners are clamped to this many pixels around the origin, so that products fit into int64


def fixed(outline: Sequence[Pixel]) -> list[tuple[int, int]]:
    """Return the corners in sixteenths of a pixel."""
    corners = []
    for x, y in outline:
        x, y = min(max(x, -_FAR), _FAR), min(max(y, -_FAR), _FAR)
        corners.append((math.floor(x * _UNIT + 0.5), math.floor(y * _UNIT + 0.5)))
    return corners


def spans(
    outlines: Sequence[Sequence[Pixel]], top: int, bottom: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and the one-past-last column of each convex polygon on each row.

    The result is two arrays int64[polygons, bottom - top]. Where a polygon misses a row, first >= last.
    """
    longest = max(len(outline) for outline in outlines)
    table = []
    for outline in outlines:
        corners = fixed(outline)
        table.append(corners + [corners[-1]] * (longest - len(corners)))
    start = np.array(table, dtype=np.int64)
    end = np.roll(start, -1, axis=1)
    x0, y0 = start[:, :, :1], start[:, :, 1:]
    x1, y1 = end[:, :, :1], end[:, :, 1:]
    rows = np.arange(top, bottom, dtype=np.int64) * _UNIT + _UNIT // 2
    crosses = (np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1))
    rise = y1 - y0
    rise[rise == 0] = 1
    at = x0 + (x1 - x0) * (rows - y0) // rise
    first = np.where(crosses, at, 1 << 40).min(axis=1)
    last = np.where(crosses, at, -(1 << 40)).max(axis=1)
    half = _UNIT // 2
    return -((half - first) // _UNIT), -((half - last) // _UNIT)


def window(outlines: Sequence[Sequence[Pixel]], height: int, width: int) -> tuple[int, int, int, int]:
    """Return the smallest canvas rectangle (top, left, bottom, right) that holds all polygons; empty when none is
    inside."""
    columns = [x for outline in outlines for x, _ in outline]
    rows = [y for outline in outlines for _, y in outline]
    top = max(0, int(max(min(rows), 0.0)))
    left = max(0, int(max(min(columns), 0.0)))
    bottom = min(height, int(max(max(rows), -1.0)) + 1)
    right = min(width, int(max(max(columns), -1.0)) + 1)
    return top, left, max(bottom, top), max(right, left)


def draw(outlines: Sequence[Sequence[Pixel]], box: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """Return the number (from 1) of the last polygon over each pixel of the window `box`; 0 where there is none.
    uint8."""
    top, left, bottom, right = box
    first, last = spans(outlines, top, bottom)
    canvas = np.zeros((bottom - top, right - left), dtype=np.uint8)
    columns = np.arange(left, right, dtype=np.int64)
    for number in range(len(outlines)):
        begin, end = first[number], last[number]
        filled = np.flatnonzero(begin < end)
        if not len(filled):
            continue
        y0, y1 = int(filled[0]), int(filled[-1]) + 1
        x0 = min(max(int(begin[filled].min()) - left, 0), right - left)
        x1 = min(max(int(end[filled].max()) - left, 0), right - left)
        if x0 >= x1:
            continue
        part = columns[x0:x1]
        inside = (part >= begin[y0:y1, None]) & (part < end[y0:y1, None])
        np.copyto(canvas[y0:y1, x0:x1], np.uint8(number + 1), where=inside)
    return canvas
