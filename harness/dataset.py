"""The interface that every dataset implements: a sequence of samples.

A sample is what is encoded as one unit (an image or a clip), together with its targets.

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
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.errors import DatasetError
from harness.options import Configured, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["WHOLE", "Dataset", "KeptFrame", "Outline", "Sample", "Source"]


@dataclass(frozen=True)
class Source:
    """How the source file of a sample was stored.

    Args:
        format: "jpeg", "png", "h264", ...; "rendered" for frames that were rendered and never stored in a file.
        bytes: the file's size on disk; None for rendered frames.
        quality: the estimated quality of a JPEG file, 1-100, on the scale of the IJG's reference tables; None for
            other formats, or if it could not be estimated.
    """

    format: str
    bytes: int | None = None
    quality: int | None = None


@dataclass(frozen=True)
class Outline:
    """The facts about a sample that are known without decoding it. The planner forms batches from them.

    Args:
        id: the sample's name, unique in its dataset and split, and stable over time.
        height: height (H) in pixels.
        width: width (W) in pixels.
        frames: number of frames (T).
        scored: the numbers of the frames that have a target.
        group: the recording that the sample comes from (a drive, a video, a person). Samples of one group are not
            statistically independent. If it is "", the sample's id is its group.
        stratum: the class (or another category) over which `--limit` balances its selection; "" to balance over
            nothing.
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
    """One image or clip, which is encoded as one unit, with its targets.

    Args:
        id: the same id as in the sample's `Outline`.
        frames: uint8[T, H, W, 3], RGB.
        targets: frame number -> target. Each task defines its own type of target.
        fps: frames per second; None for an image.
        source: how the source file was stored.
    """

    id: str
    frames: Frames
    targets: Mapping[int, Any]
    fps: float | None = None
    source: Source = field(default_factory=lambda: Source("rendered"))


WHOLE = "value"
"""The name of the array of a kept prediction that is one array."""


@dataclass(frozen=True)
class KeptFrame:
    """One kept prediction.

    Args:
        id: the sample's name.
        frame: the number of the scored frame; 0 for an image.
        still: whether the sample is a single image.
        size: height and width of the source frame in pixels.
        arrays: the prediction's fields by name; `WHOLE` for a prediction that is one array.
        numbers: the classes' numbers in the dataset's own files (`Dataset.class_numbers`).
    """

    id: str
    frame: int
    still: bool
    size: tuple[int, int]
    arrays: Mapping[str, NDArray[Any]]
    numbers: tuple[int, ...] = ()


class Dataset(Configured, ABC):
    """Base class of datasets: the samples of one split, with the targets of one task.

    The constructor is fast and opens no file. `open` reads the index of the samples. An opened dataset can be pickled
    and sent to worker processes. A dataset does not keep decoded frames in memory.

    Class attributes:
        tasks: the tasks that the dataset has targets for.
        splits: the dataset's splits; the first one is the default for evaluation. Empty if the splits depend on the
            files; then `open` checks the split.
        layout: the files and folders that the dataset expects on disk, for error messages.
        homepage: where the data can be downloaded.
        revision: a number that is raised when the same files give other samples or other targets than before. It is
            part of every experiment's key, so results of an earlier revision are not found, and commands that read
            results mark them as superseded.
        needs_root: whether the dataset reads files that the user provides.
        any_task: whether the dataset serves every task, because its samples have no targets; `tasks` may be empty then.
        labelled: whether the samples have targets. If not, the targets of the scored frames are None, and a model is
            compared with its own output on the uncompressed frames.

    Attributes:
        still: whether the samples are single images. Results of video codecs on single images are labelled `intra`.
            It is set on the class, unless it depends on the task or the files; then `open` sets it.
        task: the task whose targets the samples have.
        judges: what the task judges, frames or whole clips (`harness.task.Task.judges`). It is set, before `open`, for
            a dataset that serves every task, because that cannot know all tasks.
        split: the split.
        root: the folder that the dataset reads; None if it needs none.
        classes: the names of the classes; the targets' labels are indices into it. `open` sets it. Empty if the task
            has no classes.
        class_numbers: the numbers of the classes in the dataset's own files (COCO's category ids), by which kept
            predictions name them; `open` may set it. Empty if they are 1, 2, 3, ...
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    any_task: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ()
    layout: ClassVar[str] = ""
    homepage: ClassVar[str] = ""
    revision: ClassVar[int] = 1
    needs_root: ClassVar[bool] = True
    labelled: ClassVar[bool] = True
    still: bool = True
    judges: Literal["frames", "clips"] = "frames"
    classes: tuple[str, ...] = ()
    class_numbers: tuple[int, ...] = ()

    def __init__(self, task: str, split: str | None = None, root: Path | None = None, **options: object) -> None:
        super().__init__(**options)
        self.task = task
        self.root = root
        self.split = split or (self.splits[0] if self.splits else "")
        if self.splits and self.split not in self.splits:
            raise DatasetError(f"dataset {self.name} has no split {self.split!r}: {', '.join(self.splits)}.")

    def require_root(self) -> Path:
        """Return the root folder.

        Raises:
            DatasetError: no root folder was given, or it is not a folder. The message says which layout is expected
                and where the data can be downloaded.
        """
        if self.root is None or not self.root.is_dir():
            found = "no --data-root (or HARNESS_DATA) was given" if self.root is None else f"{self.root} is no folder"
            raise self.problem(found)
        return self.root

    def problem(self, found: str) -> DatasetError:
        """Return an error that says what was found, which layout is expected, and where the data can be downloaded."""
        where = f" The data: {self.homepage}" if self.homepage else ""
        return DatasetError(f"dataset {self.name}: {found}. Expected: {self.layout}.{where}")

    @abstractmethod
    def open(self) -> None:
        """Read the index of the samples and set `classes`.

        Raises:
            DatasetError: the data are missing, incomplete or malformed.
        """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def outline(self, index: int) -> Outline:
        """Return the facts about a sample without decoding it. It must be fast: read a file's header at most.

        Raises:
            SampleError: the facts cannot be read. The sample is then recorded as failed.
        """

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Read and decode one sample.

        Raises:
            SampleError: the sample cannot be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the samples' content: targets, and pixels (or what they are rendered from)."""

    def decoders(self) -> Mapping[str, Value]:
        """Return the versions of the libraries that decode the dataset's files. Every experiment's key includes them.

        `fingerprint` covers the files only, and another version of a decoder may give other pixels for the same file.
        Datasets of image files return `harness.images.decoders()`. The default is for data that need no decoder.
        """
        return {}
