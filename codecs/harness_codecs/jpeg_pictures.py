"""Pictures for the self-test of JPEG, the same on every machine.

They have all sizes around blocks of 8 and 16 pixels, single rows and columns, and sizes of cameras. They show noise,
smooth shades, edges between saturated colours, near-grey shades, and even colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

__all__ = ["pictures"]

_SIDES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 64, 65, 100, 129)
_SIZES = (
    *((side, 130 - side) for side in _SIDES),
    *((side, side) for side in _SIDES[:6]),
    *((1, 700), (700, 1), (2, 333), (333, 2)),
)
_QUALITIES = (95, 75, 50, 15, 10, 5, 1, 2, 3, 20, 25, 30, 40, 60, 70, 80, 85, 88, 90, 92, 94, 96, 97, 98, 99, 100)


def pictures() -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield 137 pictures uint8[H, W, 3] (RGB), each three times, with qualities from 1 to 100 to code them at."""
    rng = np.random.default_rng(1)
    qualities = cycle(_QUALITIES)
    made = [(kind, size) for size in _SIZES for kind in _KINDS]
    for kind, size in (*made, (_noise, (480, 640)), (_shades, (719, 1279))):
        picture = kind(size, rng)
        for _ in range(3):
            yield picture, next(qualities)


def _noise(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(rng.integers(0, 256, (*size, 3), np.uint8))


def _shades(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return shades that change little from pixel to pixel, as in photographs."""
    rows, columns = (np.cumsum(rng.integers(-6, 7, (side, 3)), axis=0) for side in size)
    shades = 128 + rows[:, None] + columns[None] + rng.integers(-4, 5, (*size, 3))
    return np.asarray(np.clip(shades, 0, 255), np.uint8)


def _edges(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return areas of saturated colours with sharp edges."""
    colours = np.asarray(rng.integers(0, 2, (*(side // 5 + 1 for side in size), 3)) * 255, np.uint8)
    return np.asarray(colours.repeat(5, axis=0).repeat(5, axis=1)[: size[0], : size[1]])


def _near_grey(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return shades whose three channels differ by at most one."""
    grey = _shades(size, rng)[:, :, :1].astype(np.int16)
    return np.asarray(np.clip(grey + rng.integers(0, 2, (*size, 3)), 0, 255), np.uint8)


def _even(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.broadcast_to(rng.integers(0, 256, 3, np.uint8), (*size, 3))


_Kind = Callable[[tuple[int, int], np.random.Generator], NDArray[np.uint8]]
_KINDS: tuple[_Kind, ...] = (_noise, _shades, _edges, _near_grey, _even)
