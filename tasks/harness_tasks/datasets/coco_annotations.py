"""Read COCO's annotation files: `instances_<split>.json` and `person_keypoints_<split>.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DatasetError
from harness_tasks.datasets.common import stays_inside
from harness_tasks.detection.types import Boxes
from harness_tasks.pose.types import KEYPOINTS, Persons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Annotations"]

_NUMBERS = 3 * len(KEYPOINTS)


@dataclass(frozen=True)
class Annotations:
    """The content of an annotation file as flat arrays.

    It takes a few dozen bytes per object, so it is sent quickly to worker processes. N is the number of images, M the
    number of objects.

    Args:
        classes: the class names, in the order of the category ids.
        ids: ids of the N images, ascending.
        names: relative file names of the images.
        sizes: height and width of each image as stated in the file; None if not stated.
        starts: int64[N + 1], index of each image's first object.
        boxes: float64[M, 4], x1, y1, x2, y2 in pixels.
        labels: int64[M], indices into `classes`.
        crowd: bool[M].
        area: float64[M], in pixels.
        keypoints: float64[M, 17, 3], x, y and visibility; None if only boxes were read.
    """

    classes: tuple[str, ...]
    ids: list[int]
    names: list[str]
    sizes: list[tuple[int, int] | None]
    starts: NDArray[np.int64]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    area: NDArray[np.float64]
    keypoints: NDArray[np.float64] | None

    def of(self, index: int) -> slice:
        """Return the slice of an image's objects."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def boxes_of(self, index: int) -> Boxes:
        """Return the boxes of an image."""
        part = self.of(index)
        return Boxes.of(self.boxes[part], self.labels[part], self.crowd[part], None, self.area[part])

    def persons_of(self, index: int) -> Persons:
        """Return the persons of an image, with their key points."""
        part = self.of(index)
        assert self.keypoints is not None
        return Persons(self.keypoints[part], self.boxes[part], self.area[part], self.crowd[part])

    @classmethod
    def read(cls, path: Path, keypoints: bool = False) -> Annotations:
        """Read and check an annotation file. With `keypoints`, read the key points too.

        Raises:
            DatasetError: the file is not JSON, or an entry is missing or of the wrong type; the message names it.
        """
        import numpy as np

        content = _parsed(path)
        if keypoints:
            _check_keypoint_names(path, content["categories"])
        categories = {_number(path, entry, "id", "category"): entry.get("name") for entry in content["categories"]}
        classes = tuple(str(categories[number]) for number in sorted(categories))
        if len(set(classes)) != len(content["categories"]):
            raise DatasetError(f"{path}: two categories have the same id or name.")
        images = {_number(path, entry, "id", "image"): entry for entry in content["images"]}
        if len(images) != len(content["images"]):
            raise DatasetError(f"{path}: two images have the same id.")
        ids = sorted(images)
        image_index = {number: position for position, number in enumerate(ids)}
        class_index = {number: position for position, number in enumerate(sorted(categories))}
        rows = []
        for entry in content["annotations"]:
            image, category = (_number(path, entry, key, "annotation") for key in ("image_id", "category_id"))
            if image not in image_index or category not in class_index:
                unknown = f"image {image}" if image not in image_index else f"category {category}"
                raise DatasetError(
                    f"{path}: annotation {entry.get('id')} is of {unknown}, which the file does not list."
                )
            points = _keypoints_of(path, entry) if keypoints else ()
            rows.append(
                (image_index[image], class_index[category], bool(entry.get("iscrowd", 0)), *_box(path, entry), points)
            )
        rows.sort(key=lambda row: row[0])
        flat = np.asarray([row[3:8] for row in rows], np.float64).reshape(-1, 5)
        return cls(
            classes,
            ids,
            [_file_name(path, images[number]) for number in ids],
            [_size(path, images[number]) for number in ids],
            np.searchsorted(np.asarray([row[0] for row in rows], np.int64), np.arange(len(ids) + 1)).astype(np.int64),
            np.column_stack([flat[:, :2], flat[:, :2] + flat[:, 2:4]]),
            np.asarray([row[1] for row in rows], np.int64),
            np.asarray([row[2] for row in rows], np.bool_),
            flat[:, 4],
            np.asarray([row[8] for row in rows], np.float64).reshape(-1, len(KEYPOINTS), 3) if keypoints else None,
        )


def _parsed(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the JSON file, and check that it has the three lists of a COCO annotation file."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read as JSON: {error}.") from error
    for key in ("images", "annotations", "categories"):
        found = content.get(key) if isinstance(content, dict) else None
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise DatasetError(f"{path}: a list of objects under {key!r} was expected, as in COCO's annotation files.")
    return {key: content[key] for key in ("images", "annotations", "categories")}


def _number(path: Path, entry: Mapping[str, Any], key: str, what: str) -> int:
    """Return an integer field of an entry; `what` names the kind of entry in the error message."""
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DatasetError(
            f"{path}: {what} {entry.get('id')!r}: a whole number was expected as {key}, found {value!r}."
        )
    return value


def _box(path: Path, entry: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    """Return x, y, width, height and area of an annotation."""
    box = entry.get("bbox")
    numbers = [*box, entry.get("area", 0)] if isinstance(box, list) and len(box) == 4 else []
    valid = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    if not numbers or not valid or numbers[2] < 0 or numbers[3] < 0:
        raise DatasetError(
            f"{path}: annotation {entry.get('id')}: bbox as [x, y, width, height] (and area as a number) was expected, "
            f"found {box!r}, {entry.get('area')!r}."
        )
    x, y, width, height, area = map(float, numbers)
    return x, y, width, height, area if "area" in entry else width * height


def _file_name(path: Path, image: Mapping[str, Any]) -> str:
    """Return the image's relative file name, after checking that it stays inside the folder."""
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        raise DatasetError(f"{path}: image {image.get('id')}: file_name {name!r} is no name inside the images' folder.")
    return name


def _size(path: Path, image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the height and width of an image as stated in the file; None if not stated."""
    if "height" not in image or "width" not in image:
        return None
    return _number(path, image, "height", "image"), _number(path, image, "width", "image")


def _check_keypoint_names(path: Path, categories: Iterable[Mapping[str, Any]]) -> None:
    """Check that the file's key points have COCO's names and order.

    Raises:
        DatasetError: the file has other key points, or another order.
    """
    for category in categories:
        names = category.get("keypoints")
        if names is not None and tuple(names) != KEYPOINTS:
            raise DatasetError(
                f"{path}: category {category.get('name')!r} has the key points {names}; COCO's 17 were expected: "
                f"{', '.join(KEYPOINTS)}."
            )


def _keypoints_of(path: Path, entry: Mapping[str, Any]) -> list[float]:
    """Return the 51 numbers of an annotation: x, y (pixels) and visibility (0, 1, 2) of each key point.

    Where the visibility is 0, x and y are set to 0, as in COCO.

    Raises:
        DatasetError: there are no key points, or the wrong number of values; the message names the annotation.
    """
    values = entry.get("keypoints")
    valid = isinstance(values, list) and len(values) == _NUMBERS
    if not valid or not all(isinstance(n, int | float) and math.isfinite(n) for n in values or ()):
        raise DatasetError(
            f"{path}: annotation {entry.get('id')}: keypoints as {_NUMBERS} numbers were expected, found "
            f"{str(values)[:60]}. Boxes without key points are in COCO's instances files, for the task detection."
        )
    numbers = [float(n) for n in values or ()]
    for start in range(0, _NUMBERS, 3):
        if numbers[start + 2] <= 0:
            numbers[start : start + 3] = [0.0, 0.0, 0.0]
    return numbers
