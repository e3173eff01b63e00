"""Pictures in RGB by way of three planes, which takes a third of the time.

libswscale writes packed RGB value by value where it resamples chroma exactly, and the planes of "gbrp" with vector
instructions. Both compute the same values. Whether they do in this process is to be tested before the planes are used
(`same_in_planes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

__all__ = ["merge_planes", "same_in_planes"]

_SIZES = ((54, 98), (33, 65), (16, 2))
"""Heights and widths of the test frames: no multiples of the vectors' lengths."""


def merge_planes(frame: VideoFrame, image: NDArray[np.uint8]) -> None:
    """Write the upper left part of a frame with the pixel format "gbrp" into an image.

    Args:
        frame: the frame.
        image: uint8[H, W, 3] (RGB), C-contiguous, not larger than the frame.
    """
    import cv2
    import numpy as np

    height, width, _ = image.shape
    rows = (np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes)
    green, blue, red = (plane[:height, :width] for plane in rows)
    cv2.merge([red, green, blue], image)


def same_in_planes(
    pix_fmt: str, packed: Callable[[VideoFrame], VideoFrame], planar: Callable[[VideoFrame], VideoFrame]
) -> bool:
    """Return whether two conversions to RGB give the same pixels. The test takes some milliseconds.

    Args:
        pix_fmt: libavutil's name of the source's pixel format, which has 8 bits a sample.
        packed: converts a frame to "rgb24".
        planar: converts a frame to "gbrp" in the same way.
    """
    import av
    import numpy as np

    rng = np.random.default_rng(1)
    for height, width in _SIZES:
        for highest, step in ((256, 1), (2, 255), (256, 1)):  # any values, the extremes alone, any values again
            frame = av.VideoFrame(width, height, pix_fmt)
            for plane in frame.planes:
                plane.update(np.asarray(rng.integers(0, highest, plane.buffer_size) * step, np.uint8).tobytes())
            image = np.empty((height, width, 3), np.uint8)
            merge_planes(planar(frame), image)
            if not np.array_equal(image, packed(frame).to_ndarray()):
                return False
    return True
