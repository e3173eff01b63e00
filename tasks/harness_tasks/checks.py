"""Checks that the tasks' own types of predictions and targets share: arrays, labels, scores, boxes, maps.

Each function checks one field of one frame, whole arrays at once, and raises `ContentError` with a message that begins
with the field's name: "labels: 1 of 12 values is outside 0-79: -1". What datasets and detectors really give is
accepted: no boxes at all, boxes without an area (COCO annotates some, and a detector cuts boxes at the border), boxes
that reach beyond the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.errors import ContentError, found

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LARGEST_AREA",
    "check_array",
    "check_boxes",
    "check_counts",
    "check_finite",
    "check_inside",
    "check_label",
    "check_labels",
    "check_map",
    "check_range",
    "check_type",
]

T = TypeVar("T")

_FAR = 1e9
"""Pixels from the image's corner. No coordinate is farther, so that areas stay numbers."""
LARGEST_AREA = _FAR**2
_MARGIN = 1.0
"""Pixels by which a box may lie outside the image: what rounding and a border's convention make of a box cut there."""
_ROUNDING = 1e-6
"""What a score may lie outside 0-1 by, from rounding."""
_REAL = ("float32", "float64")


def check_type(value: Any, kind: type[T]) -> T:
    """Return a prediction or a target that has the task's own type."""
    if not isinstance(value, kind):
        raise ContentError(f"a {kind.__name__} is expected, found {found(value)}.")
    return value


def check_array(field: str, value: Any, kinds: str, shape: Sequence[int | str]) -> None:
    """Check that a field is an array of a kind and a shape.

    Args:
        field: the field's name.
        value: the field.
        kinds: "real" (float32 or float64), "whole" (integers of any size) or "bool".
        shape: the length of each axis; a letter for any length.
    """
    if not isinstance(value, np.ndarray):
        hint = " (torch: .cpu().numpy())" if hasattr(value, "detach") else ""
        raise ContentError(f"{field}: a NumPy array is expected, found {found(value)}{hint}.")
    kind, dtype = value.dtype.kind, value.dtype
    if kinds == "real" and dtype.name not in _REAL:
        raise ContentError(f"{field}: float32 or float64 is expected, found {dtype}.")
    if kinds == "whole" and kind not in "iu":
        raise ContentError(f"{field}: whole numbers are expected, found {dtype}.")
    if kinds == "bool" and kind != "b":
        raise ContentError(f"{field}: bool is expected, found {dtype}.")
    given = value.shape
    if len(given) != len(shape) or any(
        type(wanted) is int and wanted != length for wanted, length in zip(shape, given, strict=True)
    ):
        raise ContentError(f"{field}: [{', '.join(map(str, shape))}] is expected, found {list(given)}.")


def check_counts(fields: Mapping[str, int], what: str) -> None:
    """Check that all fields have the same length."""
    counts = list(fields.values())
    if counts.count(counts[0]) != len(counts):
        *names, last = fields
        numbers = ", ".join(map(str, counts[:-1]))
        raise ContentError(f"{', '.join(names)} and {last} are of {numbers} and {counts[-1]} {what}.")


def check_labels(field: str, labels: NDArray[np.integer[Any]], classes: int) -> None:
    """Check that labels lie in 0 to `classes` - 1."""
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels[(labels < 0) | (labels >= classes)]
        known = f"outside 0-{classes - 1}" if classes else "a label, though there are no classes"
        raise ContentError(f"{field}: {_count(wrong, labels.size)} {known}: {wrong[0]}.")


def check_label(field: str, label: Any, classes: int) -> None:
    """Check that a single label is a whole number in 0 to `classes` - 1."""
    if isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise ContentError(f"{field}: a whole number (int) is expected, found {found(label)}.")
    if not 0 <= label < classes:
        raise ContentError(f"{field}: {label} is outside 0-{classes - 1}.")


def check_range(
    field: str, values: NDArray[np.floating[Any]], low: float, high: float, slack: float = _ROUNDING
) -> None:
    """Check that values lie in a range, or outside by no more than `slack`. NaN lies in none."""
    inside = (values >= low - slack) & (values <= high + slack)
    if not inside.all():
        wrong = values[~inside]
        raise ContentError(f"{field}: {_count(wrong, values.size)} outside {low:g}-{high:g}: {wrong[0]:.6g}.")


def check_finite(field: str, values: NDArray[np.floating[Any]]) -> None:
    """Check that numbers are finite, and coordinates that an image can have (up to 10^9)."""
    near = np.abs(values) <= _FAR
    if not near.all():
        wrong = values[~near]
        problem = "beyond 10^9" if np.isfinite(wrong).all() else "not finite"
        worst = wrong[0] if problem == "beyond 10^9" else wrong[~np.isfinite(wrong)][0]
        raise ContentError(f"{field}: {_count(wrong, values.size, 'number')} {problem}: {worst:.6g}.")


def check_boxes(field: str, boxes: NDArray[np.floating[Any]]) -> None:
    """Check that boxes [N, 4] are finite, and that no two corners are the wrong way round. They may be empty."""
    check_finite(field, boxes)
    upright = boxes[:, :2] <= boxes[:, 2:]
    if not upright.all():
        wrong = boxes[~upright.all(axis=1)]
        raise ContentError(f"{field}: {len(wrong)} of {len(boxes)} have x2 < x1 or y2 < y1: {_corners(wrong[0])}.")


def check_inside(
    field: str, low: NDArray[np.floating[Any]], high: NDArray[np.floating[Any]], size: tuple[int, int]
) -> None:
    """Check that nothing lies wholly outside the image.

    Args:
        field: the field's name.
        low: real[N, 2], x1, y1.
        high: real[N, 2], x2, y2.
        size: height and width of the image in pixels.
    """
    height, width = size
    outside = (low > (width + _MARGIN, height + _MARGIN)) | (high < -_MARGIN)
    if outside.any():
        wrong = outside.any(axis=1)
        count, first = int(wrong.sum()), int(wrong.argmax())
        raise ContentError(
            f"{field}: {count} of {len(low)} {'lies' if count == 1 else 'lie'} wholly outside the image of "
            f"{width}x{height} pixels: {_corners(np.append(low[first], high[first]))}. Coordinates are pixels of the "
            "source frame."
        )


def check_map(field: str, value: Any, kinds: str, size: tuple[int, int]) -> None:
    """Check that a map is an array [H, W] of a kind (`check_array`), in the size of the source frame."""
    check_array(field, value, kinds, ("H", "W"))
    if value.shape != size:
        raise ContentError(
            f"{field}: the size of the source frame is expected, {list(size)}, found {list(value.shape)}."
        )


def _count(wrong: NDArray[Any], size: int, what: str = "value") -> str:
    """Return the number of wrong values in words: "1 of 12 values is", "3 of 12 values are"."""
    return f"{wrong.size} of {size} {what}s {'is' if wrong.size == 1 else 'are'}"


def _corners(box: NDArray[Any]) -> str:
    return ", ".join(f"{corner:.6g}" for corner in box)
