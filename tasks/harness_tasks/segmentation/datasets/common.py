"""What the dataset formats of segmentation share: pairs of an image file and a file of label numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.dataset import Sample
from harness.errors import SampleError
from harness_tasks.datasets.pairs import ImagePairs, Pair
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LabelledImages", "label_table", "read_labels"]


class LabelledImages(ImagePairs):
    """Photographs with a label map each. A subclass lists the pairs, and says what the numbers in the files mean.

    A label map is a greyscale (or palette) image of the photograph's size, whose pixel values are label numbers. The
    sizes of the first pair are compared when the dataset is opened, and of every pair when it is read.
    """

    tasks: ClassVar[tuple[str, ...]] = ("segmentation",)
    truth = "a label map"
    meanings: ClassVar[Mapping[int, int]]
    """Number in the file -> number of the class, or IGNORE. Other numbers are an error."""

    def check(self, pair: Pair) -> None:
        """Compare the sizes of the two files.

        Raises:
            SampleError: they differ, or one cannot be read.
        """
        from harness.images import image_size

        image, labels = image_size(pair.image), image_size(pair.truth)
        if image != labels:
            raise SampleError(
                f"{pair.image} has {image[1]}x{image[0]} pixels, its labels {pair.truth.name} have "
                f"{labels[1]}x{labels[0]} (width x height): there are no labels of the photograph's size."
            )

    def __getitem__(self, index: int) -> Sample:
        from harness.images import read_image

        pair = self._pairs[index]
        self.check(pair)
        frames, source = read_image(pair.image)
        return Sample(pair.id, frames, {0: read_labels(pair.truth, label_table(self.meanings))}, source=source)


def label_table(meanings: Mapping[int, int]) -> NDArray[np.int16]:
    """int16[256]: the class of each number in a file; -1 for numbers that mean nothing."""
    import numpy as np

    table = np.full(256, -1, np.int16)
    for number, label in meanings.items():
        table[number] = label
    return table


def read_labels(path: Path, table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The label map of a file, uint8[H, W].

    Args:
        path: an image of 8 bits, grey or with a palette (the numbers count, not the colours).
        table: int16[256], as `label_table` makes it.

    Raises:
        SampleError: it cannot be read, is of another kind, or holds a number that means nothing.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as file:
            mode, numbers = file.mode, np.asarray(file)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise SampleError(f"{path}: cannot be decoded ({error or type(error).__name__}).") from error
    if mode not in ("L", "P"):
        raise SampleError(
            f"{path}: pixels of the kind {mode!r}; label numbers of 8 bits are expected (a grey or palette image, not "
            "one whose colours stand for the classes)."
        )
    labels = table[numbers]
    if (labels < 0).any():
        strange = sorted({int(number) for number in numbers[labels < 0]})
        known = np.flatnonzero(table >= 0)
        raise SampleError(
            f"{path}: has label numbers that this format does not know ({', '.join(map(str, strange[:5]))}); expected "
            f"are {known[0]} to {known[known != IGNORE][-1]}."
        )
    found: NDArray[np.uint8] = labels.astype(np.uint8)
    return found
