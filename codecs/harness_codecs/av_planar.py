"""Decoded frames to RGB by way of three planes, in a third of the time.

swscale writes packed RGB value by value, and planes of G, B and R with vector instructions. Both compute the same
values. Whether the swscale of this process does is tested before the planes are used (`is_equal`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from harness_codecs.av_scaler import Picture, Scaler

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PACKED", "PLANAR", "is_equal", "merge"]

PACKED = Picture("rgb24", matrix=0, range_code=2, siting=None)
"""RGB with the three values of a pixel side by side, in the full range."""
PLANAR = replace(PACKED, pix_fmt="gbrp")
"""RGB in three planes, in the order G, B, R."""

_SIZES = ((54, 98), (34, 66), (16, 2))
"""Heights and widths of the test frames: multiples of two, and of none of the vectors' lengths."""


def merge(frame: av.VideoFrame, image: NDArray[np.uint8]) -> None:
    """Write the upper left part of a frame of `PLANAR` into an image uint8[H, W, 3] (RGB) of its size or smaller."""
    import cv2
    import numpy as np

    height, width, _ = image.shape
    green, blue, red = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width]
        for plane in frame.planes
    )
    cv2.merge([red, green, blue], image)


@cache
def is_equal(source: Picture) -> bool:
    """Return whether swscale gives the same RGB in planes and packed; the first call takes some milliseconds.

    Args:
        source: what the decoded frames are.
    """
    import av
    import numpy as np

    rng = np.random.default_rng(1)
    packed, planar = Scaler(source, PACKED), Scaler(source, PLANAR)
    for height, width in _SIZES:
        for highest, step in ((256, 1), (2, 255), (256, 1)):  # any values, the extremes alone, any values again
            frame = av.VideoFrame(width, height, source.pix_fmt)
            for plane in frame.planes:
                plane.update(np.asarray(rng.integers(0, highest, plane.buffer_size) * step, np.uint8).tobytes())
            image = np.empty((height, width, 3), np.uint8)
            merge(planar.convert(frame), image)
            if not np.array_equal(image, packed.convert(frame).to_ndarray()):
                return False
    return True
