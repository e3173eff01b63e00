"""Datasets in the format of COCO: one JSON file a split and task, images in a folder of the split's name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.errors import DatasetError
from harness.options import Value
from harness_tasks.datasets.common import check_size, rarest_classes, require_files, stays_inside
from harness_tasks.detection.types import Boxes
from harness_tasks.pose.datasets.coco import check_keypoint_names, keypoints_of
from harness_tasks.pose.types import KEYPOINTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_tasks.pose.types import Persons

__all__ = ["Coco"]

_FILES = {"detection": "instances", "pose": "person_keypoints"}


class Coco(Dataset):
    """Photographs with boxes, or with persons' key points, as COCO 2017 has them.

    Samples come in the order of their image ids (pycocotools' order), objects in the order of the file. Labels are
    the positions of the categories in the order of their ids, `classes` their names. A box `[x, y, width, height]`
    becomes x, y, x + width, y + height; `area` is the file's (that of the mask), or the box's where it has none.
    Images without annotations stay. Only `bbox`, `area`, `iscrowd` are read of an annotation, and `keypoints` for
    pose, which reads `person_keypoints_<split>.json` and has no classes. A key point is labelled where its visibility
    is above 0 (COCO's `num_keypoints` counts these).
    """

    name = "coco"
    summary = "photographs with boxes or key points in the format of COCO 2017"
    tasks: ClassVar[tuple[str, ...]] = ("detection", "pose")
    layout = (
        "ROOT/annotations/instances_<split>.json (pose: person_keypoints_<split>.json) and ROOT/<split>/ with the "
        "images, e.g. split val2017"
    )
    homepage = "https://cocodataset.org/#download"

    def open(self) -> None:
        root, prefix = self.require_root(), f"{_FILES[self.task]}_"
        found = sorted(path.stem.removeprefix(prefix) for path in (root / "annotations").glob(f"{prefix}*.json"))
        if not self.split:
            self.split = _usual(found)
        self._file = root / "annotations" / f"{prefix}{self.split}.json"
        if self.split not in found:
            asked = f"there is no {self._file}" if self.split else "no split was named"
            there = f"Splits with annotations there: {', '.join(found)}" if found else "No split has annotations there"
            raise self.problem(f"{asked}. {there}")
        self._folder = root / self.split
        if not self._folder.is_dir():
            raise self.problem(f"{self._file.name} is there, but the folder of its images is not: {self._folder}")
        index = _Index.read(self._file, keypoints=self.task == "pose")
        require_files(self, self._folder, index.names)
        self._index, self.classes = index, () if self.task == "pose" else index.classes
        self._strata = rarest_classes(
            index.classes, [index.labels[index.of(i)].tolist() for i in range(len(index.ids))]
        )

    def __len__(self) -> int:
        return len(self._index.ids)

    def outline(self, index: int) -> Outline:
        from harness.images import image_size

        height, width = self._index.sizes[index] or image_size(self._path(index))
        name = str(self._index.ids[index])
        return Outline(name, height=height, width=width, group=name, stratum=self._strata[index])

    def __getitem__(self, index: int) -> Sample:
        from harness.images import read_image

        frames, source = read_image(self._path(index))
        check_size(self._path(index), self._index.sizes[index], frames.shape[1:3])
        target = self._index.persons_of(index) if self.task == "pose" else self._index.boxes_of(index)
        return Sample(str(self._index.ids[index]), frames, {0: target}, source=source)

    def decoders(self) -> Mapping[str, Value]:
        from harness.images import decoders

        return decoders()

    def fingerprint(self) -> str:
        from harness.files import digest_files

        return digest_files([self._file, *(self._path(index) for index in range(len(self)))])

    def _path(self, index: int) -> Path:
        return self._folder / self._index.names[index]


def _usual(splits: list[str]) -> str:
    """The split to take when none is named: COCO 2017's validation, or the only one."""
    if "val2017" in splits:
        return "val2017"
    return splits[0] if len(splits) == 1 else ""


@dataclass(frozen=True)
class _Index:
    """The annotations as flat arrays: a few dozen bytes an object, quickly sent to worker processes.

    Args:
        classes: the names, in the order of the category ids.
        ids: of the images, ascending.
        names: the images' files, relative.
        sizes: height and width as stated, None where not.
        starts: int64[N + 1], where each image's objects start.
        boxes: float64[M, 4], x1, y1, x2, y2.
        labels: int64[M].
        crowd: bool[M].
        area: float64[M].
        keypoints: float64[M, 17, 3], x, y and visibility; None for boxes.
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
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def boxes_of(self, index: int) -> Boxes:
        part = self.of(index)
        return Boxes.of(self.boxes[part], self.labels[part], self.crowd[part], None, self.area[part])

    def persons_of(self, index: int) -> Persons:
        from harness_tasks.pose.types import Persons

        part = self.of(index)
        assert self.keypoints is not None
        return Persons(self.keypoints[part], self.boxes[part], self.area[part], self.crowd[part])

    @classmethod
    def read(cls, path: Path, keypoints: bool = False) -> _Index:
        """Read and check an annotation file, for pose the key points too.

        Raises:
            DatasetError: it is not JSON, or something in it is missing or of the wrong kind; the message names it.
        """
        import numpy as np

        content = _parsed(path)
        if keypoints:
            check_keypoint_names(path, content["categories"])
        categories = {_number(path, entry, "id", "category"): entry.get("name") for entry in content["categories"]}
        classes = tuple(str(categories[number]) for number in sorted(categories))
        if len(set(classes)) != len(content["categories"]):
            raise DatasetError(f"{path}: two categories have the same id or name.")
        images = {_number(path, entry, "id", "image"): entry for entry in content["images"]}
        if len(images) != len(content["images"]):
            raise DatasetError(f"{path}: two images have the same id.")
        ids = sorted(images)
        place = {number: position for position, number in enumerate(ids)}
        label = {number: position for position, number in enumerate(sorted(categories))}
        rows = []
        for entry in content["annotations"]:
            image, category = (_number(path, entry, key, "annotation") for key in ("image_id", "category_id"))
            if image not in place or category not in label:
                unknown = f"image {image}" if image not in place else f"category {category}"
                raise DatasetError(
                    f"{path}: annotation {entry.get('id')} is of {unknown}, which the file does not list."
                )
            points = keypoints_of(path, entry) if keypoints else ()
            rows.append((place[image], label[category], bool(entry.get("iscrowd", 0)), *_box(path, entry), points))
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
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DatasetError(
            f"{path}: {what} {entry.get('id')!r}: a whole number was expected as {key}, found {value!r}."
        )
    return value


def _box(path: Path, entry: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    """x, y, width, height, area."""
    import math

    box = entry.get("bbox")
    numbers = [*box, entry.get("area", 0)] if isinstance(box, list) and len(box) == 4 else []
    sound = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    if not numbers or not sound or numbers[2] < 0 or numbers[3] < 0:
        raise DatasetError(
            f"{path}: annotation {entry.get('id')}: bbox as [x, y, width, height] (and area as a number) was expected, "
            f"found {box!r}, {entry.get('area')!r}."
        )
    x, y, width, height, area = map(float, numbers)
    return x, y, width, height, area if "area" in entry else width * height


def _file_name(path: Path, image: Mapping[str, Any]) -> str:
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        raise DatasetError(f"{path}: image {image.get('id')}: file_name {name!r} is no name inside the images' folder.")
    return name


def _size(path: Path, image: Mapping[str, Any]) -> tuple[int, int] | None:
    if "height" not in image or "width" not in image:
        return None
    return _number(path, image, "height", "image"), _number(path, image, "width", "image")


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Coco]
