"""Convert between RGB and YUV for the video codecs.

The matrix and the range are always set explicitly, in both directions. swscale does the conversion with accurate
rounding and its bit-exact code, so that all machines give the same pixels. Chroma is resampled with a bicubic filter
in both directions, ffmpeg's default. For formats with subsampled chroma, a frame of odd size is padded on the right
and at the bottom by repeating its last column and row, and cropped after decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["MATRICES", "RANGES", "Colour", "Tags"]


class Tags(NamedTuple):
    """Colour code points of ISO/IEC 23091-2 (ITU-T H.273), as streams store them.

    Streams and libavutil use the same numbers.
    """

    matrix: int
    primaries: int
    transfer: int


MATRICES: Mapping[str, Tags] = {"bt709": Tags(1, 1, 1), "bt601": Tags(6, 6, 6)}
"""The code points of BT.709, and of BT.601 in its 525-line variant (SMPTE 170M)."""

RANGES: Mapping[str, int] = {"limited": 1, "full": 2}
"""Values of libavutil's AVColorRange: "limited" has luma from 16 to 235, "full" from 0 to 255."""

_CHROMA = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}


@dataclass(frozen=True)
class Colour:
    """How RGB frames are converted to 8-bit YUV.

    Args:
        pix_fmt: libavutil's name of the pixel format: "yuv420p", "yuv422p" or "yuv444p".
        matrix: a key of `MATRICES`.
        range: a key of `RANGES`.
        smallest: the smallest height and width in pixels that the encoder accepts.
    """

    pix_fmt: str
    matrix: str
    range: str
    smallest: int

    @property
    def tags(self) -> Tags:
        """The colour code points that are written into the stream."""
        return MATRICES[self.matrix]

    @property
    def range_code(self) -> int:
        """The range as a value of libavutil's AVColorRange."""
        return RANGES[self.range]

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Return the coded height and width: at least the encoder's minimum, and a multiple of the chroma
        subsampling."""
        rows, columns = _CHROMA[self.pix_fmt]
        height, width = max(height, self.smallest), max(width, self.smallest)
        return height + -height % rows, width + -width % columns

    def to_yuv(self, frames: Frames) -> Iterator[av.VideoFrame]:
        """Convert frames uint8[T, H, W, 3] (RGB) to YUV frames of libav, padded to the coded size."""
        import av
        import numpy as np

        _, height, width, _ = frames.shape
        rows, columns = self.padded(height, width)
        margin = ((0, rows - height), (0, columns - width), (0, 0))
        scaler, flags = _scaler()
        for frame in frames:
            image = np.pad(frame, margin, "edge") if (rows, columns) != (height, width) else frame
            yield scaler.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"),
                format=self.pix_fmt,
                dst_colorspace=self._matrix(),
                src_color_range=RANGES["full"],
                dst_color_range=self.range_code,
                interpolation=flags,
                threads=1,
            )

    def to_rgb(self, frames: Iterable[av.VideoFrame], height: int, width: int) -> Iterator[NDArray[np.uint8]]:
        """Convert decoded YUV frames to uint8[H, W, 3] (RGB), cropped to the given height and width."""
        import numpy as np

        scaler, flags = _scaler()
        for frame in frames:
            rgb = scaler.reformat(
                frame,
                format="rgb24",
                src_colorspace=self._matrix(),
                src_color_range=self.range_code,
                dst_color_range=RANGES["full"],
                interpolation=flags,
                threads=1,
            )
            yield np.asarray(rgb.to_ndarray(), np.uint8)[:height, :width]

    def _matrix(self) -> int:
        from av.video.reformatter import Colorspace

        return int({"bt709": Colorspace.ITU709, "bt601": Colorspace.ITU601}[self.matrix])


def _scaler() -> tuple[av.video.reformatter.VideoReformatter, int]:
    """Return a converter and swscale's flags: bicubic chroma, accurate rounding, bit-exact on every processor."""
    from av.video.reformatter import Interpolation, VideoReformatter

    chroma = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
    return VideoReformatter(), int(chroma | Interpolation.ACCURATE_RND | Interpolation.BITEXACT)
