"""A sound dataset, counts beside pictures, and datasets that have one fault each."""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.dataset import Dataset, Outline, Sample
from harness.errors import ContentError, DatasetError
from harness.files import digest_files
from harness.images import decoders, image_size, read_image
from harness.task import Metric, Task
from harness.testing import DatasetPromises
from harness.testing.tools.pictures import photograph


class TenAtMost(Task):
    """Counts of objects, ten at most."""

    name = "kit-ten"
    metrics = (Metric("mae", primary=True),)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        if not isinstance(target, int) or not 0 <= target < 10:
            raise ContentError(f"count: a whole number below 10 is expected, found {target!r}.")

    def score(self, prediction: Any, target: Any) -> Any:
        raise NotImplementedError

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> Any:
        raise NotImplementedError


class SoundDataset(Dataset):
    """Pictures in a folder, their counts in counts.csv."""

    name = "kit-counts"
    summary = "pictures, counts in counts.csv"
    tasks = ("kit-ten",)
    splits = ("test", "train")
    layout = "ROOT/counts.csv and ROOT/*.png"

    def open(self) -> None:
        root = self.require_root()
        with (root / "counts.csv").open(newline="") as file:
            self.rows = [(root / name, int(count)) for name, count in csv.reader(file)]
        if any(count > 9 for _, count in self.rows):
            raise DatasetError("a count is above 9.")
        self.classes = ("thing",)

    def __len__(self) -> int:
        return len(self.rows)

    def outline(self, index: int) -> Outline:
        height, width = image_size(self.rows[index][0])
        return Outline(self.rows[index][0].stem, height, width)

    def __getitem__(self, index: int) -> Sample:
        path, count = self.rows[index]
        frames, source = read_image(path)
        return Sample(path.stem, frames, {0: count}, source=source)

    def fingerprint(self) -> str:
        counts = ",".join(f"{path.name} {count}" for path, count in self.rows)
        return hashlib.sha256((counts + digest_files([path for path, _ in self.rows])).encode()).hexdigest()

    def decoders(self) -> Any:
        return decoders()


_folders: list[tempfile.TemporaryDirectory[str]] = []


def data() -> Path:
    """A folder of four pictures with their counts."""
    from PIL import Image

    if not _folders:
        _folders.append(tempfile.TemporaryDirectory())
        root = Path(_folders[0].name)
        for number in range(4):
            Image.fromarray(photograph(number, 24 + number, 32)).save(root / f"{number}.png")
        (root / "counts.csv").write_text("0.png,3\n1.png,1\n2.png,4\n3.png,1\n")
    return Path(_folders[0].name)


class CountsPromises(DatasetPromises):
    """How the sound dataset and its mutants are tested."""

    scorer = TenAtMost(("thing",))

    def setup_method(self) -> None:
        type(self).root = data()


class OutlineIsTurned(SoundDataset):
    """Exchanges height and width in outlines."""

    broken = "outlines_are_their_samples"

    def outline(self, index: int) -> Outline:
        made = super().outline(index)
        return Outline(made.id, made.width, made.height)


class OutlineOfAnother(SoundDataset):
    """Gives the outline of the next sample."""

    broken = "outlines_are_their_samples"

    def outline(self, index: int) -> Outline:
        return super().outline((index + 1) % len(self))


class ScoredButNoTarget(SoundDataset):
    """Has outlines with a scored frame that has no target."""

    broken = "outlines_are_their_samples"

    def __getitem__(self, index: int) -> Sample:
        return Sample(*[getattr(super(ScoredButNoTarget, self).__getitem__(index), n) for n in ("id", "frames")], {})


class GreyFrames(SoundDataset):
    """Gives frames of one channel."""

    broken = "frames_are_rgb_bytes"

    def __getitem__(self, index: int) -> Sample:
        made = super().__getitem__(index)
        return Sample(made.id, made.frames[..., :1], made.targets)


class FloatFrames(SoundDataset):
    """Gives frames of 0-1."""

    broken = "frames_are_rgb_bytes"

    def __getitem__(self, index: int) -> Sample:
        made = super().__getitem__(index)
        return Sample(made.id, made.frames / np.float32(255), made.targets)


class SameId(SoundDataset):
    """Gives two samples one id."""

    broken = "ids_are_unique"

    def outline(self, index: int) -> Outline:
        made = super().outline(index)
        return Outline("0" if made.id == "3" else made.id, made.height, made.width)


class LabelsFromOne(SoundDataset):
    """Counts labels from one: the last one is out of range."""

    broken = "targets_are_the_tasks"

    def __getitem__(self, index: int) -> Sample:
        made = super().__getitem__(index)
        return Sample(made.id, made.frames, {0: made.targets[0] + 6})


class ClassesAreAList(SoundDataset):
    """Sets classes to a list."""

    broken = "classes_are_names"

    def open(self) -> None:
        super().open()
        self.classes = ["thing"]  # type: ignore[assignment]


class ReadsTheNext(SoundDataset):
    """Reads one sample after the other, whatever is asked for."""

    broken = "reading_again_gives_the_same"
    place = -1

    def __getitem__(self, index: int) -> Sample:
        self.place += 1
        return super().__getitem__(self.place % len(self))


class KeepsFrames(SoundDataset):
    """Keeps frames in memory, and gives them out again."""

    broken = "reading_again_gives_the_same"
    kept: dict[int, Sample] = {}

    def __getitem__(self, index: int) -> Sample:
        if index not in self.kept:
            self.kept[index] = super().__getitem__(index)
        return self.kept[index]


class OrderOfAFolder(SoundDataset):
    """Has the samples in the order of a set of texts."""

    broken = "order_is_the_same_everywhere"

    def open(self) -> None:
        super().open()
        counts = {path.name: (path, count) for path, count in self.rows}
        self.rows = [counts[name] for name in set(counts)]


class HoldsAFile(SoundDataset):
    """Holds its file open, which cannot be pickled."""

    broken = "an_opened_dataset_travels"

    def open(self) -> None:
        super().open()
        self.file = (self.require_root() / "counts.csv").open()

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


class ForgetsWhenItTravels(SoundDataset):
    """Loses its rows when it is pickled."""

    broken = "an_opened_dataset_travels"

    def __getstate__(self) -> Any:
        return {**vars(self), "rows": self.rows[::-1]}


class FingerprintOfPixels(SoundDataset):
    """Has a fingerprint of the pictures alone, without the labels."""

    broken = "the_fingerprint_changes_with_a_label"

    def fingerprint(self) -> str:
        return digest_files([path for path, _ in self.rows])


class FingerprintOfLabels(SoundDataset):
    """Has a fingerprint of the labels alone, without the pictures."""

    broken = "the_fingerprint_changes_with_a_label"

    def fingerprint(self) -> str:
        return hashlib.sha256((self.require_root() / "counts.csv").read_bytes()).hexdigest()


class FingerprintOfSizes(SoundDataset):
    """Has a fingerprint of names and sizes of files."""

    broken = "the_fingerprint_changes_with_a_label"

    def fingerprint(self) -> str:
        sizes = [(path.name, path.stat().st_size) for path, _ in self.rows]
        return hashlib.sha256(repr(sizes).encode()).hexdigest()


class FingerprintOfThePlace(SoundDataset):
    """Has a fingerprint with the folder in it."""

    broken = "the_fingerprint_knows_no_place"

    def fingerprint(self) -> str:
        return hashlib.sha256((super().fingerprint() + str(self.root)).encode()).hexdigest()


class FingerprintOfTheTime(SoundDataset):
    """Has another fingerprint each time."""

    broken = "the_fingerprint_is_a_digest"

    def fingerprint(self) -> str:
        return hashlib.sha256(str(time.perf_counter_ns()).encode()).hexdigest()


class FingerprintIsAName(SoundDataset):
    """Has its name as the fingerprint."""

    broken = "the_fingerprint_is_a_digest"

    def fingerprint(self) -> str:
        return "counts-v1"


class OpensWhenMade(SoundDataset):
    """Reads its file in the constructor."""

    broken = "making_it_opens_no_file"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.root is not None and self.root.is_dir():
            (self.root / "counts.csv").read_bytes()


class AnySplit(SoundDataset):
    """Takes any split."""

    broken = "unknown_splits_are_refused"
    splits = ()


class MissingDataAreAnError(SoundDataset):
    """Raises what Python raises where its folder is missing."""

    broken = "missing_data_are_told"

    def open(self) -> None:
        (Path(self.root or ".") / "counts.csv").read_bytes()
        super().open()


class MissingDataAreEmpty(SoundDataset):
    """Opens without its folder, and has no samples."""

    broken = "missing_data_are_told"

    def open(self) -> None:
        if self.root is None or not self.root.is_dir():
            self.rows = []
            return
        super().open()


class ReadingLeavesOpen(SoundDataset):
    """Opens a file for each sample, and does not close it."""

    broken = "it_closes_what_it_opens"

    def __getitem__(self, index: int) -> Sample:
        os.open(self.rows[index][0], os.O_RDONLY)
        return super().__getitem__(index)


class NoSamples(SoundDataset):
    """Finds nothing, and does not say so."""

    broken = "it_has_samples"

    def open(self) -> None:
        super().open()
        self.rows = []


MUTANTS = SoundDataset.__subclasses__()
