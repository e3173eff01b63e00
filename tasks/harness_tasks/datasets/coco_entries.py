"""Read single entries of COCO's annotation files: an image, a category, an annotation.

The functions raise ValueError for an entry that cannot be used. The text says what is wrong with it; the caller adds
the file and the entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from harness_tasks.datasets.common import stays_inside
from harness_tasks.datasets.texts import LARGEST, flag, number, shown
from harness_tasks.pose.types import KEYPOINTS

__all__ = ["box", "category_name", "crowd", "file_name", "identifier", "keypoints", "parsed", "size"]

_KINDS = ("images", "annotations", "categories")
_LARGEST_SIDE = 2**31
_NUMBERS = 3 * len(KEYPOINTS)
_LONGEST_INTEGER = 300
"""Digits of an integer that Python reads; longer ones are read as floats, and become infinite."""


def parsed(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the JSON file, and check that it has the three lists of a COCO annotation file.

    The file is UTF-8 (with a byte order mark or without), UTF-16 or UTF-32, as json.loads finds out.

    Raises:
        DatasetError: the file cannot be read, or lacks a list.
    """
    try:
        data = path.read_bytes()
        try:
            content = json.loads(data)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer with more digits than Python converts, or bytes that are no text
            content = json.loads(data, parse_int=_integer)
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read as JSON: {error}.") from error
    for key in _KINDS:
        found = content.get(key) if isinstance(content, dict) else None
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise DatasetError(f"{path}: a list of objects under {key!r} was expected, as in COCO's annotation files.")
    return {key: content[key] for key in _KINDS}


def _integer(text: str) -> float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def identifier(entry: Mapping[str, Any], key: str) -> int:
    """Return an id: a whole number, below 2^63 as databases have it."""
    value = entry.get(key)
    whole = int(value) if isinstance(value, float) and number(value) is not None and value.is_integer() else value
    if not isinstance(whole, int) or isinstance(whole, bool) or not -(2**63) <= whole < 2**63:
        raise ValueError(f"a whole number was expected as {key}, found {shown(value)}")
    return whole


def category_name(entry: Mapping[str, Any]) -> str:
    """Return the name of a category. Numbers are taken as names, too."""
    name = entry.get("name")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip() or not _is_text(name):
        raise ValueError(f"a text was expected as name, found {shown(name)}")
    return name


def file_name(image: Mapping[str, Any]) -> str:
    """Return the relative file name of an image, after checking that it stays inside the folder."""
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        raise ValueError(f"file_name {shown(name)} is no name inside the images' folder")
    return name


def size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the height and width of an image as stated; None if they are not stated, null or 0."""
    sides = []
    for key in ("height", "width"):
        value = image.get(key)
        side = 0.0 if value is None else number(value)
        if side is None or not side.is_integer() or not 0 <= side < _LARGEST_SIDE:
            raise ValueError(f"a whole number of pixels was expected as {key}, found {shown(value)}")
        sides.append(int(side))
    return (sides[0], sides[1]) if all(sides) else None


def box(entry: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    """Return x, y, width, height and area of an annotation. Without `area`, it is the box's.

    The box may be empty, and may reach beyond the picture, as in pycocotools.
    """
    found, stated = entry.get("bbox"), entry.get("area", 0)
    numbers = [number(value) for value in found] if isinstance(found, list) and len(found) == 4 else []
    x, y, width, height = numbers or (None,) * 4
    # An area is below LARGEST squared; comparing first keeps integers of 400 digits out of float().
    valid = isinstance(stated, int | float) and not isinstance(stated, bool) and 0 <= stated <= LARGEST**2
    if x is None or y is None or width is None or height is None or width < 0 or height < 0 or not valid:
        raise ValueError(
            "bbox as [x, y, width, height] (and area as a number) was expected, width, height and area not negative, "
            f"found {shown(found)}, {shown(entry.get('area'))}"
        )
    return x, y, width, height, float(stated) if "area" in entry else width * height


def crowd(entry: Mapping[str, Any]) -> bool:
    """Return iscrowd: 0 or 1, or false or true. An annotation without it, or with null, is no crowd."""
    value = entry.get("iscrowd")
    found = value if isinstance(value, bool) else False if value is None else flag(number(value))
    if found is None:
        raise ValueError(f"0 or 1 was expected as iscrowd, found {shown(value)}")
    return found


def keypoints(entry: Mapping[str, Any]) -> list[float]:
    """Return the 51 numbers of an annotation: x, y (pixels) and visibility (0, 1, 2) of each key point.

    Where the visibility is 0, x and y are set to 0, as in COCO.
    """
    values = entry.get("keypoints")
    found = [number(value) for value in values] if isinstance(values, list) and len(values) == _NUMBERS else []
    numbers = [value for value in found if value is not None]
    if len(numbers) != _NUMBERS:
        raise ValueError(
            f"keypoints as {_NUMBERS} numbers were expected, found {shown(values)}. Boxes without key points are in "
            "COCO's instances files, for the task detection"
        )
    for start in range(0, _NUMBERS, 3):
        if numbers[start + 2] <= 0:
            numbers[start : start + 3] = [0.0, 0.0, 0.0]
    return numbers


def check_keypoint_names(category: Mapping[str, Any]) -> None:
    """Check that the key points of a category have COCO's names and order, if they are named."""
    names = category.get("keypoints")
    if names is not None and (not isinstance(names, Sequence) or tuple(names) != KEYPOINTS):
        raise ValueError(f"has the key points {shown(names)}; COCO's 17 were expected: {', '.join(KEYPOINTS)}")


def _is_text(name: str) -> bool:
    """Return whether a text can be written as UTF-8: JSON can state half of a surrogate pair."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
