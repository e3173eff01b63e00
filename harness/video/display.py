"""Applies display matrices: turns and mirrors pictures as their container or stream says.

ISO/IEC 14496-12, 6.2.2: a stored point (x, y) is shown at x' = a x + c y + tx, y' = b x + d y + ty. The origin
is at the top left, y grows downwards. libav gives the matrices of all containers, and of H.264 and HEVC streams, in
this form: (a b u / c d v / tx ty w), 9 integers of 32 bits.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

__all__ = ["Matrix", "display_matrix", "shown_as"]

Matrix: TypeAlias = tuple[int, int, int, int]
"""The numbers a, b, c, d, in units of 1/65536."""


def display_matrix(picture: VideoFrame, before: Matrix | None) -> Matrix | None:
    """Return the display matrix of a picture; None without one.

    libav gives a container's matrix with every picture, but that of an H.264 stream only with the picture whose packet
    states it. It holds up to the next key picture (ITU-T H.264, D.2.27).

    Args:
        picture: a decoded picture.
        before: the matrix of the picture shown before it.
    """
    data = cast("Mapping[str, Any]", picture.side_data).get("DISPLAYMATRIX")
    if data is None:
        return None if picture.key_frame else before
    a, b, _, c, d = struct.unpack("=9i", bytes(data))[:5]
    return a, b, c, d


def shown_as(pixels: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8] | None:
    """Return stored pixels, uint8[H, W, C], as they are shown; None for a matrix that is no quarter turn or mirror.

    There are eight such matrices. Only the signs of their numbers count: a scale concerns the size on the display.
    """
    import numpy as np

    a, b, c, d = matrix
    if a and d and not b and not c:
        right, down = a, d
    elif b and c and not a and not d:
        pixels, right, down = pixels.transpose(1, 0, 2), c, b
    else:
        return None
    return np.ascontiguousarray(pixels[:: 1 if down > 0 else -1, :: 1 if right > 0 else -1])
