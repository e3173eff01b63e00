"""Division with NaN as the result where the denominator is not positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ratio"]


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, float64 of their broadcast shape; NaN where `whole` is not above 0.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
