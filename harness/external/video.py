"""Codecs of clips that are programs."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.codec import Encoded, Frames, Level, check_frames
from harness.errors import CodecError, UsageError
from harness.external.frame_files import read_frames, write_frames
from harness.external.program import ExternalProgram

if TYPE_CHECKING:
    import av

    from harness.video.yuv import Colour

__all__ = ["ExternalCodec"]

_IMAGE_FPS = Fraction(25)
_DEMUXERS = {
    **{".hevc": "hevc", ".h265": "hevc", ".265": "hevc", ".h264": "h264", ".264": "h264"},
    **{".ivf": "ivf", ".obu": "obu", ".m2v": "mpegvideo", ".vvc": "vvc", ".266": "vvc"},
}
"""libavformat's names of streams without a container, which it does not always tell apart by itself."""


class ExternalCodec(ExternalProgram):
    """A video codec whose encoder is a program; `harness.external` has a complete example.

    Frames are converted to YUV, and back, as in the built-in video codecs: in both directions with the same matrix and
    range, and with chroma on the left column of its luma. What a stream says of its colours is not asked.

    Class attributes:
        pix_fmt: what the program is given, and its stream holds: 4:2:0, 4:2:2 or 4:4:4 with 8 to 16 bits, by
            libavutil's names: "yuv420p", "yuv422p10le", "yuv444p16le".
        matrix: "bt709" or "bt601".
        range: "limited" (16-235 in 8 bits) or "full".
        exchange: "y4m" or "raw" (planes alone): what the encoder reads. What a decoder writes may be either.
        smallest: the smallest height and width in pixels that the encoder accepts. Smaller frames are padded on the
            right and at the bottom, and cropped after decoding.
    """

    coding = "video"
    pix_fmt: ClassVar[str] = "yuv420p"
    matrix: ClassVar[str] = "bt709"
    range: ClassVar[str] = "limited"
    exchange: ClassVar[Literal["y4m", "raw"]] = "y4m"
    smallest: ClassVar[int] = 2

    @property
    def colour(self) -> Colour:
        """How frames are converted. A codec with an option for the pixel format overrides it."""
        from harness.video.yuv import Colour

        return Colour(self.pix_fmt, self.matrix, self.range, self.smallest)

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        if level is None or self.scale is None:
            raise UsageError(f"codec {self.name} needs a level.")
        self.scale.check(level, self.name)
        count, height, width, _ = frames.shape
        colour, rate = self.colour, Fraction(fps).limit_denominator(1001) if fps else _IMAGE_FPS
        size = colour.padded(height, width)
        with tempfile.TemporaryDirectory(prefix="harness-") as name:
            folder = Path(name)
            source = folder / f"in.{'y4m' if self.exchange == 'y4m' else 'yuv'}"
            write_frames(source, colour.to_yuv(frames), size, rate, colour, self.exchange == "y4m")
            values = {
                **{"input": source, "level": level, "frames": count, "height": size[0], "width": size[1]},
                **{"fps": f"{rate.numerator}/{rate.denominator}", "pix_fmt": colour.pix_fmt, "bits": colour.bits},
            }
            data = self.run_on(self.encoder, folder, folder / f"out{self.suffix}", values)
        return Encoded(data, self.stream_bits(data), count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        colour, height, width = self.colour, encoded.height, encoded.width
        size = colour.padded(height, width)
        frames = np.empty((encoded.frames, height, width, 3), np.uint8)
        decoded = self._by_program(encoded.data, size) if self.decoder else self._by_libav(encoded.data, size)
        count = sum(1 for _ in colour.to_rgb(decoded, height, width, frames))
        if count != encoded.frames:
            raise CodecError(f"{self.name}: {encoded.frames} frames were coded, {count} came back.")
        return frames

    def stream_bits(self, data: bytes) -> int:
        """Return the rate of a stream in bits: all bytes that the encoder wrote, except the headers of IVF."""
        if data[:4] != b"DKIF":
            return 8 * len(data)
        place, headers = int.from_bytes(data[6:8], "little"), int.from_bytes(data[6:8], "little")
        while place < len(data):
            place, headers = place + 12 + int.from_bytes(data[place : place + 4], "little"), headers + 12
        return 8 * (len(data) - headers)

    def _by_program(self, data: bytes, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
        with tempfile.TemporaryDirectory(prefix="harness-") as name:
            folder = Path(name)
            stream = folder / f"in{self.suffix}"
            stream.write_bytes(data)
            values = {"input": stream, "height": size[0], "width": size[1], "bits": self.colour.bits}
            values["pix_fmt"] = self.colour.pix_fmt
            found = self.run_on(self.decoder, folder, folder / f"out.{self.exchange}", values)
        yield from read_frames(found, size, self.colour)

    def _by_libav(self, data: bytes, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
        import av

        expected = (self.colour.pix_fmt, size)
        kinds = {
            self.colour.pix_fmt: self.colour.pix_fmt,
            self.colour.pix_fmt.replace("yuv", "yuvj"): self.colour.pix_fmt,
        }
        try:
            with av.open(io.BytesIO(data), "r", format=_DEMUXERS.get(self.suffix)) as container:
                (stream,) = container.streams.video
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"err_detect": "explode"}
                for frame in container.decode(stream):
                    found = (kinds.get(frame.format.name, frame.format.name), (frame.height, frame.width))
                    if found != expected:
                        raise CodecError(
                            f"{self.name}: the stream holds {found[0]} of {found[1][1]}x{found[1][0]}, its class says "
                            f"{expected[0]} of {size[1]}x{size[0]}."
                        )
                    yield frame
        except (av.FFmpegError, ValueError) as error:
            raise CodecError(f"{self.name}: libav cannot decode the stream ({error}).") from error
