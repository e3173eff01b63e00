"""A tile of 1/f noise. With this texture, surfaces need about as many bits as real ones."""

from functools import cache

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.draws import RandomDraws

SIDE = 512
"""Number of rows and columns of the tile, a power of two. The tile repeats without a seam."""


@cache
def tile() -> npt.NDArray[np.int16]:
    """Return the tile, int16[SIDE, SIDE]: noise around 0 with standard deviation near 64.

    The tile is a sum of octaves of random integers, each enlarged bilinearly with integers. Equal amplitudes would give
    the 1/f spectrum of photographs; here the amplitude grows slowly with the octave, so that the texture is smoother,
    like ground that is out of focus.
    """
    draws = RandomDraws(0x7E47, 1)
    total = np.zeros((SIDE, SIDE), dtype=np.int32)
    amplitude = 32
    for octave in range(8):
        step = 1 << octave
        cells = SIDE // step
        noise = draws.bytes(2, cells, cells).astype(np.int32)
        total += _enlarge((noise[0] - noise[1]) * amplitude, step) // 128
        amplitude = amplitude * 148 // 128
    centred = total - int(total.sum()) // total.size
    power = int((centred * centred).sum(dtype=np.int64)) // total.size
    scale = 64 * 256 // max(_root(power), 1)
    return ((centred * scale) // 256).astype(np.int16)


def _enlarge(grid: npt.NDArray[np.int32], step: int) -> npt.NDArray[np.int32]:
    """Enlarge a periodic grid by the factor `step`, bilinearly."""
    if step == 1:
        return grid
    weight = np.arange(step, dtype=np.int32)
    for axis in (0, 1):
        near = np.expand_dims(grid, axis + 1)
        far = np.expand_dims(np.roll(grid, -1, axis), axis + 1)
        ramp = weight.reshape((1, step, 1) if axis == 0 else (1, 1, step))
        shape = (grid.shape[0] * step, grid.shape[1]) if axis == 0 else (grid.shape[0], grid.shape[1] * step)
        grid = ((near * (step - ramp) + far * ramp) // step).reshape(shape)
    return grid


def _root(number: int) -> int:
    """Return the integer square root."""
    guess = number
    while guess * guess > number:
        guess = (guess + number // guess) // 2
    return guess


@cache
def _doubled() -> npt.NDArray[np.int16]:
    return np.tile(tile(), (2, 2))


def patch(row: int, column: int, height: int, width: int) -> npt.NDArray[np.int16]:
    """Return int16[height, width] of the tile, starting at (row, column) and wrapping. Sizes are at most SIDE."""
    row, column = row % SIDE, column % SIDE
    return _doubled()[row : row + height, column : column + width]


def lookup(rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """Return the tile's values at integer coordinates, wrapping. The shape is the broadcast shape of the arguments."""
    return tile().ravel().take((rows & (SIDE - 1)) * SIDE + (columns & (SIDE - 1)))
