"""How far decoded pixels are from the source's: squared errors, exact, and the PSNR that they give."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["psnr", "psnr_of", "squared_error"]

_PEAK = 255
_BLOCK = 1 << 22


def squared_error(source: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> tuple[int, int]:
    """The sum of squared differences and how many values it is of (pixels times channels), both exact.

    Sums and counts of samples add up to those of a set: a set's PSNR is that of its total squared error, which a mean
    of decibels is not.

    Args:
        source: uint8, any shape.
        decoded: uint8, the same shape.

    Raises:
        ValueError: shapes or dtypes differ.
    """
    import cv2

    if source.shape != decoded.shape or str(source.dtype) != "uint8" or str(decoded.dtype) != "uint8":
        raise ValueError(
            f"equal uint8 shapes expected, not {source.dtype}{list(source.shape)} "
            f"and {decoded.dtype}{list(decoded.shape)}."
        )
    a, b = source.reshape(-1), decoded.reshape(-1)
    # OpenCV sums whole numbers into a double: a block's 4 Mi * 255 ** 2 is far below 2 ** 53, so no digit is lost.
    blocks = (slice(start, start + _BLOCK) for start in range(0, a.size, _BLOCK))
    return sum(round(cv2.norm(a[block], b[block], cv2.NORM_L2SQR)) for block in blocks), a.size


def psnr_of(squared: int, count: int) -> float | None:
    """Peak signal-to-noise ratio in dB: 10 log10(255 ** 2 / mean squared error).

    None where nothing was lost (the ratio is infinite) or nothing was measured: no number would stand for either.

    >>> round(psnr_of(65025, 1000), 2)
    30.0
    >>> psnr_of(0, 1000) is None
    True
    """
    if squared == 0 or count == 0:
        return None
    return 10 * math.log10(_PEAK**2 * count / squared)


def psnr(source: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float | None:
    """The PSNR in dB of uint8 arrays of equal shape, over all pixels and channels at once; None if they are equal."""
    return psnr_of(*squared_error(source, decoded))
