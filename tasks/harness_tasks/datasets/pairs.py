"""Datasets of photographs, each with a second file of ground truth for its pixels: a label map or a depth map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.dataset import Dataset, Outline
from harness.errors import SampleError
from harness.options import Value
from harness_tasks.datasets.texts import repeated

__all__ = ["ImagePairs", "Pair"]


_TRIED = 4
"""Pairs that are checked when a dataset is opened, until one is as expected."""


@dataclass(frozen=True)
class Pair:
    """The two files of one sample.

    Args:
        id: the sample's id.
        image: the photograph.
        truth: the file with the ground truth of each pixel.
        group: the drive or sequence that the photograph comes from; the sample's own id if there is none.
    """

    id: str
    image: Path
    truth: Path
    group: str


class ImagePairs(Dataset):
    """Photographs, each with a file of ground truth.

    One level of subclasses reads a pair of files (`check`, `__getitem__`). Their subclasses, one per dataset format,
    list the pairs.
    """

    truth: ClassVar[str]
    """The kind of the ground-truth file, with its article ("a label map"), for error messages."""
    _pairs: Sequence[Pair] = ()

    @abstractmethod
    def check(self, pair: Pair) -> None:
        """Check a pair of files. It is called for one pair when the dataset is opened, to detect a wrong folder or
        a wrong encoding early.

        Raises:
            SampleError: the two files do not match, or have the wrong format.
        """

    def use(self, pairs: Sequence[Pair]) -> None:
        """Set the dataset's pairs, and check that one of the first few is as expected.

        A damaged pair among them costs its own sample, not the dataset.

        Raises:
            DatasetError: there are no pairs, two have the same id, or `check` rejects each of the first few.
        """
        if not pairs:
            raise self.problem(f"split {self.split!r} of {self.root} has no image with {self.truth}")
        if twice := repeated(pair.id for pair in pairs):
            first, second = (pairs[position] for position in twice)
            raise self.problem(f"two images are called {first.id!r}: {first.image} and {second.image}")
        problems = []
        for pair in pairs[:_TRIED]:
            try:
                self.check(pair)
                break
            except SampleError as error:
                problems.append(error)
        else:
            raise self.problem(str(problems[0]).rstrip(".")) from problems[0]
        self._pairs = tuple(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def outline(self, index: int) -> Outline:
        from harness.images import image_size

        pair = self._pairs[index]
        height, width = image_size(pair.image)
        return Outline(pair.id, height=height, width=width, group=pair.group, stratum=pair.group)

    def decoders(self) -> Mapping[str, Value]:
        from harness.images import decoders

        return decoders()

    def fingerprint(self) -> str:
        from harness.files import digest_files

        return digest_files(path for pair in self._pairs for path in (pair.image, pair.truth))
