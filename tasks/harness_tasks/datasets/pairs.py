"""Datasets of photographs whose truth is a file of its own: a label map, a depth map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.dataset import Dataset, Outline
from harness.errors import SampleError
from harness.options import Value

__all__ = ["ImagePairs", "Pair"]


@dataclass(frozen=True)
class Pair:
    """One sample on disk.

    Args:
        id: its name.
        image: the photograph.
        truth: the file with what is true of each of its pixels.
        group: what it comes from: the drive, the sequence, itself.
    """

    id: str
    image: Path
    truth: Path
    group: str


class ImagePairs(Dataset):
    """Photographs with a file of truth each. A subclass of a subclass lists the pairs; the one between reads them."""

    truth: ClassVar[str]
    """What the file of a pair is, with its article."""
    _pairs: Sequence[Pair] = ()

    @abstractmethod
    def check(self, pair: Pair) -> None:
        """Look at the first pair when the dataset is opened, so that a wrong folder is found at once.

        Raises:
            SampleError: its files do not go together, or are of another kind.
        """

    def use(self, pairs: Sequence[Pair]) -> None:
        """Take the listed pairs.

        Raises:
            DatasetError: there is none, or the first one does not bear `check`.
        """
        if not pairs:
            raise self.problem(f"split {self.split!r} of {self.root} has no image with {self.truth}")
        try:
            self.check(pairs[0])
        except SampleError as error:
            raise self.problem(str(error).rstrip(".")) from error
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
