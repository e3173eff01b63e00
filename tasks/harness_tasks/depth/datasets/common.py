"""The common part of the depth formats: pairs of an image and a depth map, and reading files of depth values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.dataset import Sample
from harness.errors import SampleError
from harness.options import Value
from harness_tasks.datasets.pairs import ImagePairs, Pair
from harness_tasks.depth.types import MISSING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DepthPairs", "read_values"]


_NEAREST, _FARTHEST = 1.2e-38, 3.4e38
"""Depths in metres beyond these would become 0 or infinite in a target, which is float32."""


class DepthPairs(ImagePairs):
    """Images, each with a depth map. A subclass lists the pairs and converts the files' values to depth.

    The first pair is read when the dataset is opened, to detect a wrong encoding early. The sizes of each pair are
    compared when it is read.
    """

    tasks: ClassVar[tuple[str, ...]] = ("depth",)
    truth = "a depth map"

    @abstractmethod
    def depth_of(self, path: Path) -> NDArray[np.float64]:
        """Return the depths in a file, float64[H, W] in metres. A value that is not positive and finite means no depth.

        Raises:
            SampleError: the file cannot be read.
        """

    def check(self, pair: Pair) -> None:
        self._read(pair)

    def __getitem__(self, index: int) -> Sample:
        return self._read(self._pairs[index])

    def _read(self, pair: Pair) -> Sample:
        """Read a pair as a sample."""
        import numpy as np

        from harness.images import read_image

        frames, source = read_image(pair.image)
        depth = self.depth_of(pair.truth)
        if depth.shape != frames.shape[1:3]:
            height, width = frames.shape[1:3]
            raise SampleError(
                f"{pair.truth}: a depth map of {depth.shape[1]}x{depth.shape[0]} pixels (width x height), its image "
                f"{pair.image.name} has {width}x{height}. Depth has to be registered to the image, pixel by pixel."
            )
        with np.errstate(invalid="ignore"):
            known = np.isfinite(depth) & (depth > 0)
        beyond = depth[known & ((depth < _NEAREST) | (depth > _FARTHEST))]
        if beyond.size:
            raise SampleError(
                f"{pair.truth}: holds a depth of {beyond[0]:g} m, which float32 does not hold. Is the file damaged? Do "
                "its numbers stand for what the dataset's options say?"
            )
        target = np.where(known, depth, MISSING).astype(np.float32)
        return Sample(pair.id, frames, {0: target}, source=source)

    def decoders(self) -> Mapping[str, Value]:
        import cv2
        import numpy as np

        return {**super().decoders(), "opencv": cv2.__version__, "numpy": np.__version__}


def read_values(path: Path, channel: int | None = None) -> NDArray[np.generic]:
    """Return the numbers in an 8-bit or 16-bit PNG or in a .npy file, as an array [H, W].

    OpenCV reads the PNG, because Pillow would reduce 16-bit colour to 8 bits.

    Args:
        path: the file.
        channel: the channel of a colour image that contains the values (0 is red). With None, colour images are an
            error.

    Raises:
        SampleError: the file is missing, damaged, or of another format, or has the wrong number of dimensions or
            channels.
    """

    try:
        values = _array(path) if path.suffix.lower() == ".npy" else _decoded(path)
    except _damaged() as error:
        raise SampleError(f"{path}: cannot be read as depth values ({error or type(error).__name__}).") from error
    if values.ndim == 3 and values.shape[2] >= 3 and channel is not None:
        values = values[:, :, 2 - channel]  # OpenCV's channel order is BGR
    if values.ndim != 2 or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise SampleError(
            f"{path}: one number a pixel was expected, found {values.dtype}{list(values.shape)}. Is it a picture of "
            "depth in colours? Those cannot be turned back."
        )
    return values


def _damaged() -> tuple[type[Exception], ...]:
    """Return what NumPy and OpenCV raise for missing and damaged files."""
    from tokenize import TokenError
    from zipfile import BadZipFile

    import cv2

    known = (OSError, ValueError, EOFError, SyntaxError, TypeError, KeyError, OverflowError, MemoryError)
    return (*known, TokenError, BadZipFile, cv2.error)


def _array(path: Path) -> NDArray[np.generic]:
    """Read a .npy file."""
    import numpy as np

    with path.open("rb") as file:  # NumPy leaves a file open that it opened itself and cannot read
        values = np.load(file, allow_pickle=False)
        if not isinstance(values, np.ndarray):
            raise ValueError("it holds several arrays (.npz), one array (.npy) was expected")
    return values


def _decoded(path: Path) -> NDArray[np.generic]:
    """Decode a PNG with OpenCV, without changing its bit depth."""
    import cv2
    import numpy as np

    from harness.images import stored_content

    data = np.frombuffer(stored_content(path), np.uint8)
    if not data.size:
        raise ValueError("it is empty")
    if bytes(data[:8]) != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is no PNG; .png and .npy are known")
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("the PNG is damaged")
    return np.asarray(values)
