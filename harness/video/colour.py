"""Converts decoded pictures to RGB with libswscale, and refuses those whose colours cannot be converted.

`harness.video` describes how.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SampleError
from harness.video.display import shown_as
from harness.video.planes import merge_planes, same_in_planes

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

    from harness.video.display import Matrix

__all__ = ["Converter"]

_LARGEST = 179_000_000
_HD = 720
_UNSTATED = 2
_MATRICES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
"""The matrices that libswscale supports, by their number in ITU-T H.273."""
_HDR = {16: "PQ", 18: "HLG"}
_FULL = 2
_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")
"""The formats that are converted by way of planes, if that gives the same pixels."""


class Converter:
    """Converts the pictures of one file.

    Args:
        path: the file, for error messages.
    """

    def __init__(self, path: Path) -> None:
        from av.video.reformatter import VideoReformatter

        self.path = path
        self._reformatter = VideoReformatter()

    def to_rgb(self, picture: VideoFrame, display: Matrix | None) -> NDArray[np.uint8]:
        """Convert a picture to RGB, uint8[H, W, 3], and turn and mirror it as its display matrix says.

        Args:
            picture: the decoded picture.
            display: its display matrix, if it has one.

        Raises:
            SampleError: the picture is of a kind that is refused.
        """
        import numpy as np

        self._check(picture)
        matrix, full = self._colour(picture)
        if picture.format.name in _PLANAR and _same_in_planes(picture.format.name, matrix, full):
            pixels = np.empty((picture.height, picture.width, 3), np.uint8)
            merge_planes(_converted(self._reformatter, picture, "gbrp", matrix, full), pixels)
        else:
            pixels = np.asarray(_converted(self._reformatter, picture, "rgb24", matrix, full).to_ndarray(), np.uint8)
        if display is None:
            return pixels
        shown = shown_as(pixels, display)
        if shown is None:
            numbers = ", ".join(f"{number / 65536:.4g}" for number in display)
            raise SampleError(
                f"{self.path}: its display matrix (a, b, c, d = {numbers}) is no turn by a multiple of 90 degrees and "
                f"no mirror of one; turn the pictures first: ffmpeg -i {self.path.name} -crf 10 turned.mp4"
            )
        return shown

    def _colour(self, picture: VideoFrame) -> tuple[int, bool]:
        """Return the number of the matrix (H.273; arbitrary for RGB and grey), and whether the range is full."""
        name = picture.format.name
        stated = int(picture.colorspace)
        if picture.format.is_rgb or name.startswith("gray"):
            return 5, True
        if stated == _UNSTATED:
            stated = 1 if picture.height >= _HD else 5
        return stated, int(picture.color_range) == _FULL or name.startswith("yuvj")

    def _check(self, picture: VideoFrame) -> None:
        """Raise a SampleError for a picture of a kind that is refused."""
        kind = picture.format
        transfer = int(picture.color_trc)
        if picture.width * picture.height > _LARGEST:
            raise SampleError(f"{self.path}: refused, frames of {picture.width}x{picture.height} pixels are too large.")
        if transfer in _HDR:
            raise SampleError(f"{self.path}: HDR ({_HDR[transfer]}). Map its tones to 8 bits first, as you want them.")
        if any(component.is_alpha for component in kind.components):
            raise SampleError(f"{self.path}: has transparency ({kind.name}); flatten it on the background you want.")
        if not kind.is_rgb and int(picture.colorspace) not in (*_MATRICES, _UNSTATED):
            raise SampleError(
                f"{self.path}: colours by matrix {int(picture.colorspace)} of ITU-T H.273; those that can be read: "
                + ", ".join(dict.fromkeys(_MATRICES.values()))
                + "."
            )


def _converted(reformatter: VideoReformatter, picture: VideoFrame, pix_fmt: str, matrix: int, full: bool) -> VideoFrame:
    """Convert a picture to RGB of a pixel format; `matrix` and `full` are those of `Converter._colour`."""
    from av.video.reformatter import ColorRange, Interpolation

    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    return reformatter.reformat(
        picture,
        format=pix_fmt,
        src_colorspace=matrix,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=flags | Interpolation.FULL_CHR_H_INT,
        threads=1,
    )


@cache
def _same_in_planes(pix_fmt: str, matrix: int, full: bool) -> bool:
    """Return whether pictures of a kind have the same pixels by way of planes."""
    from av.video.reformatter import VideoReformatter

    packed, planar = (
        partial(_converted, VideoReformatter(), pix_fmt=form, matrix=matrix, full=full) for form in ("rgb24", "gbrp")
    )
    return same_in_planes(pix_fmt, packed, planar)
