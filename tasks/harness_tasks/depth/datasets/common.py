"""What the formats of depth datasets share: pairs of an image and a depth map, and files of depth values."""

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


class DepthPairs(ImagePairs):
    """Images with a depth map each. A subclass lists the pairs, and says what the values in the files mean.

    The first pair is read when the dataset is opened, so that a wrong encoding is found at once; every pair's sizes are
    compared when it is read.
    """

    tasks: ClassVar[tuple[str, ...]] = ("depth",)
    truth = "a depth map"

    @abstractmethod
    def depth_of(self, path: Path) -> NDArray[np.float64]:
        """The depths in a file, float64[H, W] in metres; anything not positive and finite where there is none.

        Raises:
            SampleError: the file cannot be read.
        """

    def check(self, pair: Pair) -> None:
        self._read(pair)

    def __getitem__(self, index: int) -> Sample:
        return self._read(self._pairs[index])

    def _read(self, pair: Pair) -> Sample:
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
        target = np.where(known, depth, MISSING).astype(np.float32)
        return Sample(pair.id, frames, {0: target}, source=source)

    def decoders(self) -> Mapping[str, Value]:
        import cv2
        import numpy as np

        return {**super().decoders(), "opencv": cv2.__version__, "numpy": np.__version__}


def read_values(path: Path, channel: int | None = None) -> NDArray[np.generic]:
    """The numbers in a PNG of 8 or 16 bits, or in a .npy file, [H, W].

    OpenCV reads the PNG: Pillow would reduce 16 bits of colour to 8.

    Args:
        path: the file.
        channel: which channel of a colour image holds them (0 for red); None refuses colour images.

    Raises:
        SampleError: missing, damaged, of another format, or of another number of dimensions or channels.
    """
    import numpy as np

    try:
        values = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _decoded(path)
    except (OSError, ValueError, EOFError) as error:
        raise SampleError(f"{path}: cannot be read as depth values ({error or type(error).__name__}).") from error
    if values.ndim == 3 and values.shape[2] >= 3 and channel is not None:
        values = values[:, :, 2 - channel]  # OpenCV has blue first
    if values.ndim != 2 or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise SampleError(
            f"{path}: one number a pixel was expected, found {values.dtype}{list(values.shape)}. Is it a picture of "
            "depth in colours? Those cannot be turned back."
        )
    return values


def _decoded(path: Path) -> NDArray[np.generic]:
    import cv2
    import numpy as np

    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not data.size:
        raise ValueError("it is empty")
    if bytes(data[:8]) != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is no PNG; .png and .npy are known")
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("the PNG is damaged")
    return np.asarray(values)
