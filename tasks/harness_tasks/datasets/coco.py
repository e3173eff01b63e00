"""Datasets in the format of COCO: one JSON file a split and task, images in a folder of the split's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.options import Value
from harness_tasks.datasets.coco_annotations import Annotations
from harness_tasks.datasets.common import check_size, rarest_classes, require_files

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
        index = Annotations.read(self._file, keypoints=self.task == "pose")
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


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Coco]
