"""Key points as COCO's `person_keypoints_<split>.json` has them. The dataset `coco` of detection reads the files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from harness_tasks.pose.types import KEYPOINTS

__all__ = ["check_keypoint_names", "keypoints_of"]

_NUMBERS = 3 * len(KEYPOINTS)


def check_keypoint_names(path: Path, categories: Iterable[Mapping[str, Any]]) -> None:
    """Compare the key points that the file names with COCO's.

    Raises:
        DatasetError: it has others, or another order.
    """
    for category in categories:
        names = category.get("keypoints")
        if names is not None and tuple(names) != KEYPOINTS:
            raise DatasetError(
                f"{path}: category {category.get('name')!r} has the key points {names}; COCO's 17 were expected: "
                f"{', '.join(KEYPOINTS)}."
            )


def keypoints_of(path: Path, entry: Mapping[str, Any]) -> list[float]:
    """The 51 numbers of an annotation: x, y (pixels) and visibility (0, 1, 2) of each key point.

    Where visibility is 0, x and y become 0, as COCO has it.

    Raises:
        DatasetError: there are none, or not as many; the message names the annotation.
    """
    found = entry.get("keypoints")
    sound = isinstance(found, list) and len(found) == _NUMBERS
    if not sound or not all(isinstance(n, int | float) and math.isfinite(n) for n in found or ()):
        raise DatasetError(
            f"{path}: annotation {entry.get('id')}: keypoints as {_NUMBERS} numbers were expected, found "
            f"{str(found)[:60]}. Boxes without key points are in COCO's instances files, for the task detection."
        )
    numbers = [float(n) for n in found or ()]
    for place in range(0, _NUMBERS, 3):
        if numbers[place + 2] <= 0:
            numbers[place : place + 3] = [0.0, 0.0, 0.0]
    return numbers
