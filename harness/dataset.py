"""The contract of a dataset: a sequence of samples, each one coding unit with its targets.

A complete dataset of labelled images::

    class Folder(Dataset):
        name = "folder"
        summary = "a folder of images, boxes in boxes.csv"
        tasks = ("detection",)
        layout = "ROOT/boxes.csv and ROOT/*.png"

        def open(self):
            self.paths = sorted(self.require_root().glob("*.png"))
            self.classes = ("car",)

        def __len__(self):
            return len(self.paths)

        def outline(self, index):
            height, width = image_size(self.paths[index])
            return Outline(self.paths[index].stem, height=height, width=width)

        def __getitem__(self, index):
            frames, source = read_image(self.paths[index])
            return Sample(self.paths[index].stem, frames, {0: boxes_of(self.paths[index])}, source=source)

        def fingerprint(self):
            return digest_files(self.paths)

        def decoders(self):
            return decoders()  # of harness.images
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import DatasetError
from harness.options import Configured, Value

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = ["Dataset", "Outline", "Sample", "Source"]


@dataclass(frozen=True)
class Source:
    """How a sample's source was itself stored.

    Args:
        format: "jpeg", "png", "h264", ...; "rendered" for frames that never were a file.
        bytes: size on disk, None for rendered frames.
        quality: the estimated quality of a JPEG source, 1-100, in the scale of the IJG's reference tables.
    """

    format: str
    bytes: int | None = None
    quality: int | None = None


@dataclass(frozen=True)
class Outline:
    """What is known of a sample without decoding it: what the batches are planned from.

    Args:
        id: unique in its dataset and split, stable over time.
        height: H in pixels.
        width: W in pixels.
        frames: T.
        scored: the frames that carry a target.
        group: what it comes from (drive, video, person): samples of one group are not independent. Its own id where
            a dataset has no groups.
        stratum: what `--limit` balances over (a class); "" where nothing is to be balanced.
    """

    id: str
    height: int
    width: int
    frames: int = 1
    scored: tuple[int, ...] = (0,)
    group: str = ""
    stratum: str = ""


@dataclass(frozen=True)
class Sample:
    """One coding unit with its targets.

    Args:
        id: as in the outline.
        frames: uint8[T, H, W, 3], RGB.
        targets: the task's target (a type of the task's own) by frame number.
        fps: frames a second; None for an image.
        source: how the source was stored.
    """

    id: str
    frames: Frames
    targets: Mapping[int, Any]
    fps: float | None = None
    source: Source = field(default_factory=lambda: Source("rendered"))


class Dataset(Configured, ABC):
    """A sequence of samples of one split, with the targets of one task.

    The constructor is cheap and touches no file; `open` reads the index; an opened dataset can be pickled to worker
    processes. Nothing is kept in memory that grows with the pixels.

    Class attributes:
        tasks: the tasks it has targets for.
        splits: the splits it has, the one to evaluate on first. Empty where the files decide (then `open` checks).
        layout: what it expects on disk, for the message when it is missing.
        homepage: where the data are to be had.
        needs_root: whether it reads files of the user's.
        labelled: whether its samples have targets. Without, the targets of the frames to be scored are None, and models
            are judged by their own output on uncompressed frames.

    Attributes:
        still: whether its samples are single images (results label what video codecs make of them `intra`); a fact of
            the class, unless `open` finds that it depends on the task or the files.
        task: the task whose targets are wanted.
        split: the split.
        root: the folder it reads, None where it needs none.
        classes: the names of the classes, in the order of the targets' labels (set by `open`; empty where the task
            has none).
    """

    tasks: ClassVar[tuple[str, ...]]
    splits: ClassVar[tuple[str, ...]] = ()
    layout: ClassVar[str] = ""
    homepage: ClassVar[str] = ""
    needs_root: ClassVar[bool] = True
    labelled: ClassVar[bool] = True
    still: bool = True
    classes: tuple[str, ...] = ()

    def __init__(self, task: str, split: str | None = None, root: Path | None = None, **options: object) -> None:
        super().__init__(**options)
        self.task = task
        self.root = root
        self.split = split or (self.splits[0] if self.splits else "")
        if self.splits and self.split not in self.splits:
            raise DatasetError(f"dataset {self.name} has no split {self.split!r}: {', '.join(self.splits)}.")

    def require_root(self) -> Path:
        """The root folder.

        Raises:
            DatasetError: it was not given or is no folder; the message says what layout is expected and where the
                data come from.
        """
        if self.root is None or not self.root.is_dir():
            found = "no --data-root (or HARNESS_DATA) was given" if self.root is None else f"{self.root} is no folder"
            raise self.problem(found)
        return self.root

    def problem(self, found: str) -> DatasetError:
        """An error that says what was found, what is expected and where to get it."""
        where = f" The data: {self.homepage}" if self.homepage else ""
        return DatasetError(f"dataset {self.name}: {found}. Expected: {self.layout}.{where}")

    @abstractmethod
    def open(self) -> None:
        """Read the index and set `classes`.

        Raises:
            DatasetError: missing, half-present or malformed.
        """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def outline(self, index: int) -> Outline:
        """What is known of a sample without decoding it. Cheap: a header at most.

        Raises:
            SampleError: not even that can be read; the sample will be recorded as failed.
        """

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Read and decode one sample.

        Raises:
            SampleError: it cannot be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what the samples are: pixels (or what they are rendered from) and targets."""

    def decoders(self) -> Mapping[str, Value]:
        """Versions of the libraries that turn its files into pixels: part of every experiment's key.

        `fingerprint` is of the files; another version of a decoder may make other pixels of the same file. Datasets
        of image files return `harness.images.decoders()`. The default is for data that need no decoder.
        """
        return {}
