"""The dataset Cityscapes: street scenes of 50 cities with fine annotations, 19 classes.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016). Label numbers are mapped to
the benchmark's 19 classes as in the authors' own scripts (cityscapesScripts, labels.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.errors import DatasetError
from harness.options import Option
from harness_tasks.datasets.pairs import Pair
from harness_tasks.segmentation.datasets.common import LabelledImages
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    from harness.dataset import Dataset

__all__ = ["CITYSCAPES_CLASSES", "Cityscapes"]

_LABEL_IDS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
_LARGEST_ID = 33
_LICENCE_PLATE = 255
"""Label -1 (licence plate), stored as an unsigned byte."""

CITYSCAPES_CLASSES = tuple(_LABEL_IDS)
_IMAGE, _LABELS = "_leftImg8bit.png", "_gtFine_labelIds.png"


class Cityscapes(LabelledImages):
    """The left camera's images of Cityscapes, with the fine annotations (`gtFine_labelIds`).

    The group of a sample is its city and sequence. Classes outside the benchmark's 19 are ignored. The test split
    cannot be evaluated here, because its labels are not public.
    """

    name = "cityscapes"
    summary = "Cityscapes street scenes, fine annotations, 19 classes"
    splits = ("val", "train")
    options = (
        Option("images", str, "leftImg8bit", "the folder of the photographs (others of the same names, such as foggy)"),
    )
    layout = "ROOT/leftImg8bit/<split>/<city>/*_leftImg8bit.png and ROOT/gtFine/<split>/<city>/*_gtFine_labelIds.png"
    homepage = "https://www.cityscapes-dataset.com"
    meanings: ClassVar[Mapping[int, int]] = {
        **dict.fromkeys([*range(_LARGEST_ID + 1), _LICENCE_PLATE], IGNORE),
        **{number: label for label, number in enumerate(_LABEL_IDS.values())},
    }

    def __init__(self, task: str, split: str | None = None, root: Path | None = None, **options: object) -> None:
        if split == "test":
            raise DatasetError(
                f"dataset {self.name}: the labels of the split test are not public (it is scored on the benchmark's "
                f"server). There is: {', '.join(self.splits)}."
            )
        super().__init__(task, split, root, **options)

    def open(self) -> None:
        self.classes = CITYSCAPES_CLASSES
        root = self.require_root()
        images = root / self.option("images") / self.split
        labels = root / "gtFine" / self.split
        if not images.is_dir():
            raise self.problem(f"{root} has no folder {self.option('images')}/{self.split}")
        paths = sorted(images.glob(f"*/*{_IMAGE}"))
        pairs = [self._pair(path, labels) for path in paths]
        missing = [pair.truth for pair in pairs if not pair.truth.is_file()]
        if missing:
            raise self.problem(
                f"{len(missing)} of {len(pairs)} images in {images} have no labels "
                f"({missing[0].relative_to(root)} is not there)"
            )
        self.use(pairs)

    @staticmethod
    def _pair(path: Path, labels: Path) -> Pair:
        name = path.name.removesuffix(_IMAGE)
        city, sequence, *_ = (*name.split("_"), "")
        return Pair(name, path, labels / path.parent.name / f"{name}{_LABELS}", group=f"{city}_{sequence}")


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Cityscapes]
