"""The dataset format of PASCAL VOC 2007-2012: one XML file per image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.errors import DatasetError, SampleError, UsageError
from harness.options import Option, Value
from harness_tasks.datasets.common import check_size, is_file, rarest_classes, require_files, stays_inside
from harness_tasks.datasets.texts import Line, read_lines, repeated, shown
from harness_tasks.detection.datasets.voc_xml import read_annotation
from harness_tasks.detection.types import Boxes

__all__ = ["VOC_CLASSES", "Voc"]

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

_USUAL_SPLITS = ("test", "val", "trainval", "train")
_OF_A_CLASS = re.compile(r"(?P<name>.*[^ \t])[ \t]+[+-]?[01]")
"""A line of a list of one class: an image's name, and 1, -1 or 0: it shows the class, does not, or is difficult."""


class Voc(Dataset):
    """Photographs with boxes in the format of PASCAL VOC.

    The split's list names one image a line; names may have spaces. In lists of one class (`cat_val`) the second column
    (1, 0 or -1) is not used: all images of the list are samples. Samples have the order of the list.

    VOC counts pixels from 1, and the last pixel is inside the box. So xmin, ymin, xmax, ymax become x1 = xmin - 1, y1 =
    ymin - 1, x2 = xmax, y2 = ymax. Only `object` elements directly under the root are objects (a person's `part`
    elements are not). `area` is the box's area. Boxes may reach beyond the picture, and are not cut.

    Of an object, only `name`, `difficult` and `bndbox` are read, as by VOC's own evaluation (not `truncated`,
    `occluded` and `pose`). `difficult` is a number, 0 or 1; an object without it is not difficult.

    If an image or an XML file is missing, or an object has an unknown class, opening the dataset fails. If a file is
    damaged, or a number in it is none, only its sample fails.
    """

    name = "voc"
    summary = "photographs with boxes in the layout of PASCAL VOC 2007-2012"
    tasks: ClassVar[tuple[str, ...]] = ("detection",)
    options = (
        Option("year", int, None, "which VOC<year> folder; not set: the only one there", minimum=2005, maximum=2100),
        Option("classes", str, None, "names of the classes with | between them; not set: VOC's 20"),
    )
    layout = (
        "ROOT/VOCdevkit/VOC2007/{Annotations,JPEGImages,ImageSets/Main/<split>.txt} (ROOT may also be VOCdevkit or "
        "VOC2007 itself; VOC2012 likewise)"
    )
    homepage = "http://host.robots.ox.ac.uk/pascal/VOC/"
    revision = 2
    """2: `difficult` is read as a number. Before, "1" with spaces or line ends around it, and "1.0", were taken as not
    difficult."""

    def open(self) -> None:
        self._folder = self._year_folder(self.require_root())
        self.classes = self._named_classes()
        self._ids = self._listed()
        for kind, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
            require_files(self, self._folder / kind, [f"{name}.{suffix}" for name in self._ids])
        folder = self._folder / "Annotations"
        self._annotations = [read_annotation(folder / f"{name}.xml", self.classes) for name in self._ids]
        labels = [
            [] if isinstance(annotation, str) else annotation[0].labels.tolist() for annotation in self._annotations
        ]
        self._strata = rarest_classes(self.classes, labels)

    def __len__(self) -> int:
        return len(self._ids)

    def outline(self, index: int) -> Outline:
        from harness.images import image_size

        name, annotation = self._ids[index], self._annotations[index]
        # A sample whose annotation is damaged has an outline all the same: it fails with its name when it is read.
        stated = None if isinstance(annotation, str) else annotation[1]
        height, width = stated or image_size(self._image(index))
        return Outline(name, height=height, width=width, group=name, stratum=self._strata[index])

    def __getitem__(self, index: int) -> Sample:
        from harness.images import read_image

        boxes, size = self._valid_annotation(index)
        frames, source = read_image(self._image(index))
        check_size(self._image(index), size, frames.shape[1:3])
        return Sample(self._ids[index], frames, {0: boxes}, source=source)

    def decoders(self) -> Mapping[str, Value]:
        from harness.images import decoders

        return decoders()

    def fingerprint(self) -> str:
        from harness.files import digest_files

        annotations = [self._folder / "Annotations" / f"{name}.xml" for name in self._ids]
        return digest_files([*annotations, *(self._image(index) for index in range(len(self)))])

    def _image(self, index: int) -> Path:
        return self._folder / "JPEGImages" / f"{self._ids[index]}.jpg"

    def _valid_annotation(self, index: int) -> tuple[Boxes, tuple[int, int] | None]:
        """Return a sample's objects and stated size.

        Raises:
            SampleError: the annotation file is damaged.
        """
        annotation = self._annotations[index]
        if isinstance(annotation, str):
            raise SampleError(annotation)
        return annotation

    def _year_folder(self, root: Path) -> Path:
        """Return the folder VOC<year>."""
        if (root / "ImageSets").is_dir():
            return root
        year = self.option("year") or "*"
        folders = [path for base in (root, root / "VOCdevkit") for path in sorted(base.glob(f"VOC{year}"))]
        folders = [path for path in folders if (path / "ImageSets").is_dir()]
        if not folders:
            raise self.problem(f"{root} has no folder VOC{self.option('year') or '<year>'} with ImageSets in it")
        if len(folders) > 1:
            years = ", ".join(path.name for path in folders)
            raise self.problem(f"{root} has {years}: say which by the option year, as in voc:year=2007")
        return folders[0]

    def _named_classes(self) -> tuple[str, ...]:
        """Return the class names that the option `classes` has, or VOC's.

        Raises:
            UsageError: a name is empty or comes twice.
        """
        option = self.option("classes")
        names = tuple(name.strip() for name in option.split("|")) if option else VOC_CLASSES
        if "" in names or repeated(names):
            problem = "a name is empty" if "" in names else "a name comes twice"
            raise UsageError(f"option classes={option}: {problem}; names with | between them are expected.")
        return names

    def _listed(self) -> list[str]:
        """Return the image names of the split."""
        lists = self._folder / "ImageSets" / "Main"
        names = sorted(path.stem for path in lists.glob("*.txt"))
        of_a_class = [name for name in names if name.startswith(tuple(f"{name}_" for name in self.classes))]
        usual = [name for name in names if name not in of_a_class]
        if not self.split:
            self.split = next((name for name in _USUAL_SPLITS if name in usual), "")
        path = lists / f"{self.split}.txt"
        if not self.split or not stays_inside(self.split) or not is_file(path):
            more = f"{len(of_a_class)} lists of one class, as {of_a_class[0]}, and " if of_a_class else ""
            raise self.problem(
                f"{lists} has {more}no list of the split {self.split!r}. It has: {', '.join(usual) or 'none'}"
            )
        present = {file.stem for file in (self._folder / "Annotations").glob("*.xml")}
        lines = read_lines(path)
        ids = [_name(path, line, present) for line in lines]
        if not ids:
            raise DatasetError(f"{path}: one image's name a line was expected, but it is empty.")
        if twice := repeated(ids):
            first, second = (lines[position].number for position in twice)
            raise DatasetError(
                f"{path}: one image's name a line was expected, but {shown(ids[twice[0]])} comes twice, in the lines "
                f"{first} and {second}."
            )
        return ids


def _name(path: Path, line: Line, present: set[str]) -> str:
    """Return the image's name in a line of a list: the whole line, or the first column in a list of one class.

    Args:
        path: the list.
        line: the line.
        present: the names that have an annotation file. They decide what a line with spaces is.

    Raises:
        DatasetError: the line has no image's name.
    """
    match = None if line.text in present else _OF_A_CLASS.fullmatch(line.text)
    name = match["name"] if match else line.text
    if not stays_inside(name) or "/" in name:
        raise DatasetError(
            f"{path}, line {line.number}: one image's name a line was expected, but {shown(name)} is no image's name."
        )
    if name not in present and len(name.split()) > 1:
        raise DatasetError(
            f"{path}, line {line.number}: one image's name a line was expected (and 1, 0 or -1 in lists of one class), "
            f"found {shown(line.text)}. There is no annotation file of this name."
        )
    return name


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Voc]
