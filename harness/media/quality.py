"""The difference between decoded pixels and the source's pixels: exact squared errors, and the PSNR."""

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
    """Return the sum of squared differences and the number of values (pixels times channels), both exact.

    The sums and numbers of single samples can be added. The PSNR of a set of samples is computed from the total squared
    error; the mean of the samples' PSNR values in dB would be something else.

    Args:
        source: uint8, any shape.
        decoded: uint8, the same shape.

    Raises:
        ValueError: the shapes differ, or a dtype is not uint8.
    """
    import cv2

    if source.shape != decoded.shape or source.dtype != "uint8" or decoded.dtype != "uint8":
        raise ValueError(
            f"equal uint8 shapes expected, not {source.dtype}{list(source.shape)} "
            f"and {decoded.dtype}{list(decoded.shape)}."
        )
    a, b = source.reshape(-1), decoded.reshape(-1)
    # OpenCV adds integers in a double. A block's sum is at most 4 Mi * 255 ** 2, far below 2 ** 53, so it is exact.
    blocks = (slice(start, start + _BLOCK) for start in range(0, a.size, _BLOCK))
    return sum(round(cv2.norm(a[block], b[block], cv2.NORM_L2SQR)) for block in blocks), a.size


def psnr_of(squared: int, count: int) -> float | None:
    """Return the peak signal-to-noise ratio in dB: 10 log10(255 ** 2 / mean squared error).

    Return None if the squared error is 0 (the PSNR is infinite) or if there are no values.

    Args:
        squared: the sum of squared differences.
        count: the number of values.

    >>> round(psnr_of(65025, 1000), 2)
    30.0
    >>> psnr_of(0, 1000) is None
    True
    """
    if squared == 0 or count == 0:
        return None
    return 10 * math.log10(_PEAK**2 * count / squared)


def psnr(source: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float | None:
    """Return the PSNR in dB of uint8 arrays of equal shape, over all pixels and channels; None if they are equal."""
    return psnr_of(*squared_error(source, decoded))
