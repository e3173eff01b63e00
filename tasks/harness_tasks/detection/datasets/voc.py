"""The dataset format of PASCAL VOC 2007-2012: one XML file per image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.errors import DatasetError, SampleError
from harness.options import Option, Value
from harness_tasks.datasets.common import check_size, rarest_classes, require_files, stays_inside
from harness_tasks.detection.types import Boxes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

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


class Voc(Dataset):
    """Photographs with boxes in the format of PASCAL VOC.

    Samples have the order of the split's list. VOC counts pixels from 1, and the last pixel is inside the box. So xmin,
    ymin, xmax, ymax become x1 = xmin - 1, y1 = ymin - 1, x2 = xmax, y2 = ymax. Only `object` elements directly under
    the root are objects (a person's `part` elements are not). `area` is the box's area.

    If an image or an XML file is missing, opening the dataset fails. If a file is damaged, only its sample fails.
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

    def open(self) -> None:
        self._folder = self._year_folder(self.require_root())
        class_option = self.option("classes")
        self.classes = tuple(name.strip() for name in class_option.split("|")) if class_option else VOC_CLASSES
        self._ids = self._listed()
        for kind, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
            require_files(self, self._folder / kind, [f"{name}.{suffix}" for name in self._ids])
        self._annotations = [self._annotation(name) for name in self._ids]
        labels = [
            [] if isinstance(annotation, str) else annotation[0].labels.tolist() for annotation in self._annotations
        ]
        self._strata = rarest_classes(self.classes, labels)

    def __len__(self) -> int:
        return len(self._ids)

    def outline(self, index: int) -> Outline:
        from harness.images import image_size

        name, (_, size) = self._ids[index], self._valid_annotation(index)
        height, width = size or image_size(self._image(index))
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

    def _listed(self) -> list[str]:
        """Return the image names of the split."""
        lists = self._folder / "ImageSets" / "Main"
        classes = {f"{name}_" for name in self.classes}
        names = sorted(path.stem for path in lists.glob("*.txt") if not path.stem.startswith(tuple(classes)))
        if not self.split:
            self.split = next((name for name in _USUAL_SPLITS if name in names), "")
        if self.split not in names:
            raise self.problem(f"{lists} has no list of the split {self.split!r}. It has: {', '.join(names) or 'none'}")
        ids = (lists / f"{self.split}.txt").read_text("utf-8", "replace").split()
        invalid = [name for name in ids if not stays_inside(name) or "/" in name]
        if invalid or not ids or len(set(ids)) != len(ids):
            problem = (
                f"{invalid[0]!r} is no image's name" if invalid else "it is empty" if not ids else "names come twice"
            )
            raise DatasetError(f"{lists / self.split}.txt: one image's name a line was expected, but {problem}.")
        return ids

    def _annotation(self, name: str) -> tuple[Boxes, tuple[int, int] | None] | str:
        """Return the objects and the stated size (height, width); for a damaged file, return the error message.

        Raises:
            DatasetError: an object has a class that the dataset does not have.
        """
        from xml.etree.ElementTree import ParseError

        from defusedxml import DefusedXmlException, ElementTree

        path = self._folder / "Annotations" / f"{name}.xml"
        try:
            root = ElementTree.parse(path).getroot()
            objects = [self._object(path, element) for element in root.findall("object")]
            size = root.find("size")
            stated = None if size is None else (int(_number(size, "height")), int(_number(size, "width")))
        except (ParseError, DefusedXmlException, ValueError, OSError) as error:
            return f"{path} cannot be read as VOC's XML: {error or type(error).__name__}."
        if stated is not None and min(stated) < 1:
            stated = None
        corners = [box for box, _, _ in objects]
        labels, difficult = [label for _, label, _ in objects], [hard for _, _, hard in objects]
        return Boxes.of(corners, labels, None, difficult), stated

    def _object(self, path: Path, element: Element) -> tuple[tuple[float, float, float, float], int, bool]:
        """Return an object's box, label and difficult flag."""
        name = (element.findtext("name") or "").strip()
        if name not in self.classes:
            raise DatasetError(
                f"{path}: class {name!r} is none of {', '.join(self.classes)}. A dataset with classes of its own names "
                "them by the option classes, as in 'voc:classes=cat|dog'."
            )
        box = element.find("bndbox")
        if box is None:
            raise ValueError(f"an object ({name}) has no bndbox")
        left, top, right, bottom = (_number(box, key) for key in ("xmin", "ymin", "xmax", "ymax"))
        if right < left or bottom < top:
            raise ValueError(f"the box of a {name} has its corners the wrong way round")
        return (left - 1, top - 1, right, bottom), self.classes.index(name), element.findtext("difficult") == "1"


def _number(parent: Element, key: str) -> float:
    text = (parent.findtext(key) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"<{key}> of <{parent.tag}> is {text!r}, a number was expected")
    return value


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Voc]
