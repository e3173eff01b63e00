"""The training targets of OpenPose: confidence maps of the parts, and part affinity fields of the limbs.

Cao et al. (CVPR 2017), equations 7 to 11. In a map of stride s, the cell in row j and column i lies at
y = s (j + 1/2) - 1/2 and x = s (i + 1/2) - 1/2 of the image. The centre of the first pixel is 0 (COCO's convention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.pose.skeleton import FIELDS, LIMBS, PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["affinity_fields", "cells", "confidence_maps", "learnt_mask", "pixels"]


def cells(points: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Convert coordinates from pixels to cells of a map."""
    return (points + 0.5) / stride - 0.5


def pixels(points: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Convert coordinates from cells of a map to pixels."""
    return (points + 0.5) * stride - 0.5


def confidence_maps(
    parts: NDArray[np.float64], size: tuple[int, int], stride: int, spread: float
) -> NDArray[np.float32]:
    """Return the confidence maps: a Gaussian at each part of each person. Where Gaussians overlap, the larger value is
    used.

    The last map is the background: 1 minus the largest value of all other maps.

    Args:
        parts: float64[N, 18, 3], x and y in pixels, and whether the part is labelled.
        size: rows and columns of the maps.
        stride: pixels per cell.
        spread: standard deviation of the Gaussian in cells.

    Returns:
        float32[19, rows, columns].
    """
    positions = cells(parts[:, :, :2], stride)
    exponent = -0.5 / spread**2
    column_factors = np.exp(exponent * (np.arange(size[1]) - positions[:, :, 0, None]) ** 2) * (
        parts[:, :, 2, None] > 0
    )
    row_factors = np.exp(exponent * (np.arange(size[0]) - positions[:, :, 1, None]) ** 2)
    maps = np.zeros((len(PARTS) + 1, *size), np.float32)
    for row, column in zip(row_factors, column_factors, strict=True):
        np.maximum(maps[:-1], (row[:, :, None] * column[:, None, :]).astype(np.float32), out=maps[:-1])
    maps[-1] = 1.0 - maps[:-1].max(axis=0)
    return maps


def affinity_fields(
    parts: NDArray[np.float64], size: tuple[int, int], stride: int, width: float
) -> NDArray[np.float32]:
    """Return the part affinity fields: on each limb, the unit vector along it. Overlapping limbs of several persons are
    averaged.

    Args:
        parts: float64[N, 18, 3], x and y in pixels, and whether the part is labelled.
        size: rows and columns of the maps.
        stride: pixels per cell.
        width: a cell lies on a limb up to this distance from the line between its ends, in cells.

    Returns:
        float32[38, rows, columns].
    """
    positions = cells(parts[:, :, :2], stride)
    starts, ends = (positions[:, [limb[end] for limb in LIMBS]] for end in (0, 1))
    complete = (parts[:, [limb[0] for limb in LIMBS], 2] > 0) & (parts[:, [limb[1] for limb in LIMBS], 2] > 0)
    fields = np.zeros((2 * len(LIMBS), *size), np.float32)
    counts = np.zeros((len(LIMBS), *size), np.float32)
    for person, limb in zip(*np.nonzero(complete), strict=True):
        _paint(fields, counts, FIELDS[limb], starts[person, limb], ends[person, limb], width)
    np.divide(fields, np.repeat(np.maximum(counts, 1.0), 2, axis=0), out=fields)
    return fields


def _paint(
    fields: NDArray[np.float32],
    counts: NDArray[np.float32],
    field: int,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    width: float,
) -> None:
    """Add one limb to its field, within the bounding box of the limb."""
    along = end - start
    length = float(np.hypot(*along))
    if length < 1e-6:
        return
    low = np.maximum(np.ceil(np.minimum(start, end) - width), 0).astype(int)
    high = np.minimum(np.floor(np.maximum(start, end) + width) + 1, [counts.shape[2], counts.shape[1]]).astype(int)
    if (low >= high).any():
        return
    x, y = np.arange(low[0], high[0]) - start[0], (np.arange(low[1], high[1]) - start[1])[:, None]
    unit = along / length
    share = np.clip(x * unit[0] + y * unit[1], 0.0, length)
    on = (x - share * unit[0]) ** 2 + (y - share * unit[1]) ** 2 <= width**2
    area = np.s_[low[1] : high[1], low[0] : high[0]]
    counts[field][area] += on
    fields[2 * field][area] += on * unit[0]
    fields[2 * field + 1][area] += on * unit[1]


def learnt_mask(boxes: NDArray[np.float64], size: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """Return float32[rows, columns]: 0 in the boxes float64[N, 4] of persons whose parts are not labelled, else 1."""
    mask = np.ones(size, np.float32)
    corners = cells(boxes.reshape(-1, 2, 2) - 0.5, stride)
    for (left, top), (right, bottom) in np.rint(corners).clip(0).astype(int).tolist():
        mask[top : bottom + 1, left : right + 1] = 0.0
    return mask
