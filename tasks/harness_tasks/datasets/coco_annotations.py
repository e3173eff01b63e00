"""Read COCO's annotation files: `instances_<split>.json` and `person_keypoints_<split>.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import DatasetError
from harness_tasks.datasets import coco_entries
from harness_tasks.datasets.texts import repeated, shown
from harness_tasks.detection.types import Boxes
from harness_tasks.pose.types import KEYPOINTS, Persons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Annotations"]

_T = TypeVar("_T")


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
        numbers: the category id of each class.
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
    numbers: tuple[int, ...] = ()

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

        file = _File(path)
        classes, class_index = file.categories(keypoints)
        images = file.images()
        ids = sorted(images)
        image_index = {number: position for position, number in enumerate(ids)}
        rows = []
        for position, entry in enumerate(file.content["annotations"]):
            where = ("annotation", position, entry)
            image, category = (file.read(where, coco_entries.identifier, key) for key in ("image_id", "category_id"))
            if image not in image_index or category not in class_index:
                unknown = f"image {image}" if image not in image_index else f"category {category}"
                raise DatasetError(f"{path}: {_name(*where)} is of {unknown}, which the file does not list.")
            points = file.read(where, coco_entries.keypoints) if keypoints else ()
            rows.append(
                (
                    image_index[image],
                    class_index[category],
                    file.read(where, coco_entries.crowd),
                    *file.read(where, coco_entries.box),
                    points,
                )
            )
        file.refuse_repeated_annotations()
        rows.sort(key=lambda row: row[0])
        flat = np.asarray([row[3:8] for row in rows], np.float64).reshape(-1, 5)
        return cls(
            classes,
            ids,
            [images[number][0] for number in ids],
            [images[number][1] for number in ids],
            np.searchsorted(np.asarray([row[0] for row in rows], np.int64), np.arange(len(ids) + 1)).astype(np.int64),
            np.column_stack([flat[:, :2], flat[:, :2] + flat[:, 2:4]]),
            np.asarray([row[1] for row in rows], np.int64),
            np.asarray([row[2] for row in rows], np.bool_),
            flat[:, 4],
            np.asarray([row[8] for row in rows], np.float64).reshape(-1, len(KEYPOINTS), 3) if keypoints else None,
            tuple(class_index),
        )


class _File:
    """An annotation file that is being read; its errors name the file and the entry."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = coco_entries.parsed(path)

    def read(self, where: tuple[str, int, Mapping[str, Any]], reader: Callable[..., _T], *arguments: str) -> _T:
        """Return what a function of `coco_entries` reads from an entry.

        Args:
            where: the kind of entry, its position in the file's list, and the entry.
            reader: the function.
            arguments: its further arguments.
        """
        try:
            return reader(where[2], *arguments)
        except ValueError as error:
            raise DatasetError(f"{self.path}: {_name(*where)}: {error}.") from error

    def categories(self, keypoints: bool) -> tuple[tuple[str, ...], dict[int, int]]:
        """Return the class names, in the order of the categories' ids, and the class of each category id.

        Of categories with one name, all but one may be without annotations (labelling services write the project's
        name as a category, too). They are left out: in pycocotools, too, they have no part in any metric.
        """
        entries = self.content["categories"]
        names = {}
        for position, entry in enumerate(entries):
            where = ("category", position, entry)
            number = self.read(where, coco_entries.identifier, "id")
            if number in names:
                raise DatasetError(f"{self.path}: two categories have the id {number}.")
            names[number] = self.read(where, coco_entries.category_name)
            if keypoints:
                self.read(where, coco_entries.check_keypoint_names)
        used = {
            value for entry in self.content["annotations"] if isinstance(value := entry.get("category_id"), int | float)
        }
        chosen: dict[str, int] = {}
        for number in sorted(names):
            other = chosen.setdefault(names[number], number)
            if other in used and number in used and other != number:
                raise DatasetError(
                    f"{self.path}: two categories, {other} and {number}, are called {shown(names[number])}, and both "
                    "have annotations. Give them two names, or one id."
                )
            if other not in used:
                chosen[names[number]] = number
        kept = sorted(chosen.values())
        return tuple(names[number] for number in kept), {number: label for label, number in enumerate(kept)}

    def images(self) -> dict[int, tuple[str, tuple[int, int] | None]]:
        """Return the file name and the stated size (height, width) of each image, by its id."""
        found = {}
        for position, entry in enumerate(self.content["images"]):
            where = ("image", position, entry)
            number = self.read(where, coco_entries.identifier, "id")
            if number in found:
                raise DatasetError(f"{self.path}: two images have the same id, {number}.")
            found[number] = self.read(where, coco_entries.file_name), self.read(where, coco_entries.size)
        numbers = list(found)
        if twice := repeated(name for name, _ in found.values()):
            first, second = (numbers[position] for position in twice)
            raise DatasetError(
                f"{self.path}: images {first} and {second} have the same file, {shown(found[first][0])}. Give all its "
                "annotations one image_id."
            )
        return found

    def refuse_repeated_annotations(self) -> None:
        """Check that no id of an annotation comes twice; pycocotools would score the second one twice.

        Annotations without an id are not compared.
        """
        entries: Sequence[Mapping[str, Any]] = self.content["annotations"]
        numbered = [(place, entry["id"]) for place, entry in enumerate(entries) if entry.get("id") is not None]
        keys = [value if isinstance(value, int | float | str) else shown(value) for _, value in numbered]
        if twice := repeated(keys):
            first, second = (numbered[position][0] + 1 for position in twice)
            raise DatasetError(
                f"{self.path}: annotation {shown(keys[twice[0]])} comes twice, as numbers {first} and {second} of the "
                "list. Number the annotations anew, or remove one of the two."
            )


def _name(kind: str, position: int, entry: Mapping[str, Any]) -> str:
    """Return the name of an entry in messages: its id, or its number in the list if it has none."""
    return f"{kind} {shown(entry['id'])}" if "id" in entry else f"{kind} without id, number {position + 1} of the list"
