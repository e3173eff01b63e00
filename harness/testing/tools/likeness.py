"""Compares what plugins give: arrays, numbers, dataclasses and containers of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["alike"]


def alike(one: Any, other: Any, tolerance: float = 0.0, unequal: float = 0.0) -> bool:
    """Return whether two things are equal, NaN to NaN.

    Args:
        one: a number, a text, an array, a dataclass, or a mapping or sequence of such.
        other: the other thing.
        tolerance: by how much real numbers may differ, as a share of the largest of an array.
        unequal: the share of the whole numbers of an array that may differ.
    """
    import numpy as np

    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in dataclasses.fields(one)]
        same = type(one) is type(other)
        return same and all(alike(getattr(one, n), getattr(other, n), tolerance, unequal) for n in names)
    if isinstance(one, Mapping):
        same = isinstance(other, Mapping) and set(one) == set(other)
        return same and all(alike(one[name], other[name], tolerance, unequal) for name in one)
    if isinstance(one, np.ndarray) or hasattr(one, "__array__"):
        return _arrays(np.asarray(one), np.asarray(other), tolerance, unequal)
    if isinstance(one, Sequence) and not isinstance(one, str | bytes):
        same = isinstance(other, Sequence) and len(one) == len(other)
        return same and all(alike(a, b, tolerance, unequal) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        both = isinstance(other, int | float)
        return both and (
            (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
        )
    return bool(one == other)


def _arrays(one: Any, other: Any, tolerance: float, unequal: float) -> bool:
    import numpy as np

    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f" and one.size:
        finite = np.abs(one[np.isfinite(one)])
        most = tolerance * float(finite.max(initial=1.0))
        return bool(np.allclose(one, other, rtol=tolerance, atol=most, equal_nan=True))
    return bool(one.size == 0 or (one != other).mean() <= unequal)
