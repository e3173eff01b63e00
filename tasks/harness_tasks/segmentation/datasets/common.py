"""The common part of the segmentation formats: pairs of an image file and a label-map file."""

from __future__ import annotations

import io
import struct
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


_DAMAGED = (SyntaxError, ValueError, EOFError, struct.error, LookupError, OverflowError, TypeError, MemoryError)
"""What Pillow's readers raise for damaged files, besides OSError."""


class LabelledImages(ImagePairs):
    """Photographs, each with a label map. A subclass lists the pairs and defines the label numbers.

    A label map is a greyscale or palette image of the photograph's size; its pixel values are label numbers. The sizes
    of the first pair are compared when the dataset is opened, and those of each pair when it is read.
    """

    tasks: ClassVar[tuple[str, ...]] = ("segmentation",)
    truth = "a label map"
    meanings: ClassVar[Mapping[int, int]]
    """The class number, or IGNORE, of each label number in a file. Other label numbers are an error."""

    def check(self, pair: Pair) -> None:
        """Check that the photograph and the label map have the same size.

        Raises:
            SampleError: the sizes differ, or a file cannot be read.
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
    """Return int16[256]: the class of each label number in a file; -1 for undefined numbers."""
    import numpy as np

    table = np.full(256, -1, np.int16)
    for number, label in meanings.items():
        table[number] = label
    return table


def read_labels(path: Path, table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Read a label map as class numbers, uint8[H, W].

    Args:
        path: an 8-bit image, grey or with a palette. The pixel values are used, not the palette's colours.
        table: int16[256], as `label_table` returns it.

    Raises:
        SampleError: the file cannot be read, has another pixel format, or contains an undefined number.
    """
    import numpy as np
    from PIL import Image

    from harness.images import stored_content

    try:
        with Image.open(io.BytesIO(stored_content(path))) as file:
            mode, numbers = file.mode, np.asarray(file)
    except (OSError, *_DAMAGED, Image.DecompressionBombError) as error:
        raise SampleError(f"{path}: cannot be decoded ({error or type(error).__name__}).") from error
    if mode not in ("L", "P"):
        raise SampleError(
            f"{path}: pixels of the kind {mode!r}; label numbers of 8 bits are expected (a grey or palette image, not "
            "one whose colours stand for the classes)."
        )
    labels = table[numbers]
    if (labels < 0).any():
        unknown = sorted({int(number) for number in numbers[labels < 0]})
        defined = np.flatnonzero(table >= 0)
        raise SampleError(
            f"{path}: has label numbers that this format does not know ({', '.join(map(str, unknown[:5]))}); expected "
            f"are {defined[0]} to {defined[defined != IGNORE][-1]}."
        )
    result: NDArray[np.uint8] = labels.astype(np.uint8)
    return result
