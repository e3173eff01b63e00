"""Datasets in COCO's format: one JSON file per split and task, and the images in a folder with the split's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.options import Value
from harness_tasks.datasets.coco_annotations import Annotations
from harness_tasks.datasets.common import check_size, is_file, rarest_classes, require_files, stays_inside

__all__ = ["Coco"]

_FILES = {"detection": "instances", "pose": "person_keypoints"}


class Coco(Dataset):
    """Photographs with boxes, or with key points of persons, in the format of COCO 2017.

    Order: samples are sorted by image id, as in pycocotools; objects have the order of the file. A label is the
    category's position when the categories are sorted by id; `classes` has the names in that order.

    Boxes: `[x, y, width, height]` becomes x, y, x + width, y + height. `area` is the mask's area from the file, or the
    box's area if the file has none. Boxes may be empty or reach beyond the picture, and are not cut. Images without
    annotations are kept. Of an annotation, only `bbox`, `area` and `iscrowd` are used. A height or width of 0, or null,
    is not stated. Of categories with one name, those without annotations are left out. Ids and files that come twice
    are refused.

    Pose reads `person_keypoints_<split>.json`, uses `keypoints` in addition, and has no classes. A key point is
    labelled if its visibility is above 0 (COCO counts these in `num_keypoints`).
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
        splits = sorted(path.stem.removeprefix(prefix) for path in (root / "annotations").glob(f"{prefix}*.json"))
        if not self.split:
            self.split = _usual(splits)
        self._file = root / "annotations" / f"{prefix}{self.split}.json"
        if not self.split or not stays_inside(self.split) or not is_file(self._file):
            problem = f"there is no {self._file}" if self.split else "no split was named"
            alternatives = (
                f"Splits with annotations there: {', '.join(splits)}" if splits else "No split has annotations there"
            )
            raise self.problem(f"{problem}. {alternatives}")
        self._folder = root / self.split
        if not self._folder.is_dir():
            raise self.problem(f"{self._file.name} is there, but the folder of its images is not: {self._folder}")
        index = Annotations.read(self._file, keypoints=self.task == "pose")
        require_files(self, self._folder, index.names)
        self._index, self.classes = index, () if self.task == "pose" else index.classes
        self.class_numbers = index.numbers
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
    """Return the default split: "val2017", else the only split, else ""."""
    if "val2017" in splits:
        return "val2017"
    return splits[0] if len(splits) == 1 else ""


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Coco]
