"""Convert between RGB and YUV for codecs of video.

The matrix and the range are always set explicitly, in both directions. swscale does the conversion with accurate
rounding and its bit-exact code, so that all machines give the same pixels. Chroma is resampled with a bicubic filter
in both directions, ffmpeg's default. In both directions a chroma sample lies on the left column of the luma samples
that it belongs to, in the middle of their rows ("left"; docs/reference/video-codecs.md has the formats' rules). For
formats with subsampled chroma, a frame of odd size is padded on the right and at the bottom by repeating its last
column and row, and cropped after decoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.video.planar import PACKED, PLANAR, is_equal
from harness.video.scaler import Picture, Scaler

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["MATRICES", "RANGES", "SITING", "Colour", "Tags"]


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

SITING = "left"
"""Where the chroma samples lie, under libavutil's name (AVChromaLocation). Without horizontal subsampling it has no
effect; with 4:2:2 only its horizontal part has one."""

_CHROMA = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}
"""By the pixel format's name without its depth: how many rows and columns of luma share a chroma sample."""

_DEPTH = re.compile(r"(yuv4\d\dp)(?:(9|10|12|14|16)le)?")


@dataclass(frozen=True)
class Colour:
    """How RGB frames are converted to YUV.

    Args:
        pix_fmt: libavutil's name of the pixel format: "yuv420p", "yuv422p" or "yuv444p"; for more than 8 bits a sample
            "yuv420p10le", and so on.
        matrix: a key of `MATRICES`.
        range: a key of `RANGES`.
        smallest: the smallest height and width in pixels that the encoder accepts.
    """

    pix_fmt: str
    matrix: str
    range: str
    smallest: int

    @property
    def chroma(self) -> tuple[int, int]:
        """How many rows, and how many columns, of luma share a chroma sample."""
        return _CHROMA[self._parsed()[1]]

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return int(self._parsed()[2] or 8)

    def _parsed(self) -> re.Match[str]:
        parsed = _DEPTH.fullmatch(self.pix_fmt)
        if parsed is None or parsed[1] not in _CHROMA:
            raise ValueError(f"{self.pix_fmt!r} is no pixel format of 4:2:0, 4:2:2 or 4:4:4 by libavutil's names.")
        return parsed

    @property
    def tags(self) -> Tags:
        """The colour code points that are written into the stream."""
        return MATRICES[self.matrix]

    @property
    def range_code(self) -> int:
        """The range as a value of libavutil's AVColorRange."""
        return RANGES[self.range]

    @property
    def siting_option(self) -> dict[str, str]:
        """libavcodec's option that has an encoder write the siting into the stream.

        It is empty except for 4:2:0: H.264, HEVC and AV1 have the field for 4:2:0 alone.
        """
        return {"chroma_sample_location": SITING} if self.chroma == (2, 2) else {}

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Return the coded height and width: at least the encoder's minimum, and a multiple of the chroma
        subsampling."""
        rows, columns = self.chroma
        height, width = max(height, self.smallest), max(width, self.smallest)
        return height + -height % rows, width + -width % columns

    def to_yuv(self, frames: Frames) -> Iterator[av.VideoFrame]:
        """Convert frames uint8[T, H, W, 3] (RGB) to YUV frames of libav, padded to the coded size."""
        import av
        import numpy as np

        _, height, width, _ = frames.shape
        rows, columns = self.padded(height, width)
        margin = ((0, rows - height), (0, columns - width), (0, 0))
        scaler = Scaler(PACKED, self.picture)
        for frame in frames:
            image = np.pad(frame, margin, "edge") if (rows, columns) != (height, width) else frame
            yield scaler.convert(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"))

    def to_rgb(
        self, frames: Iterable[av.VideoFrame], height: int, width: int, into: Frames | None = None
    ) -> Iterator[NDArray[np.uint8]]:
        """Convert decoded YUV frames to uint8[H, W, 3] (RGB), cropped to the given height and width.

        Matrix, range and siting are those of this object, whatever a decoder says of its frames.

        Args:
            frames: the decoded frames.
            height: the largest height that is wanted, in pixels.
            width: the largest width that is wanted, in pixels.
            into: uint8[T, H, W, 3], where the first T frames are written if their size is the wanted one; None to make
                a new array for each.
        """
        import numpy as np

        from harness.video.planes import merge_planes

        planar = self.bits == 8 and is_equal(self.picture)
        scaler = Scaler(self.picture, PLANAR if planar else PACKED)
        for number, frame in enumerate(frames):
            rgb = scaler.convert(frame)
            shape = (min(height, rgb.height), min(width, rgb.width), 3)
            fits = into is not None and number < len(into) and into.shape[1:] == shape
            image = into[number] if into is not None and fits else np.empty(shape, np.uint8)
            if planar:
                merge_planes(rgb, image)
            else:
                image[:] = rgb.to_ndarray()[:height, :width]
            yield image

    @property
    def picture(self) -> Picture:
        """What the coded frames are."""
        return Picture(self.pix_fmt, self.tags.matrix, self.range_code, SITING)
