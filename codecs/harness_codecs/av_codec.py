"""The base class of the video codecs: shared options, rate control, and encoding and decoding through libav."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from harness.codec import Codec, Encoded, Level, Scale, check_frames
from harness.errors import CodecError, UsageError
from harness.options import Option, Value
from harness.video.planar import is_equal
from harness.video.yuv import MATRICES, RANGES, Colour
from harness_codecs.av_coder import Encoder, decode, encode, nvidia, refusal, versions
from harness_codecs.av_rate import Promise, keep_rate
from harness_codecs.av_stream import join, split

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = ["AvCodec", "gpu", "shared"]

IMAGE_FPS = Fraction(25)
"""The frame rate in Hz that a stream states for an image, or for a clip without a frame rate."""

KBPS = Scale("kbps", (800, 400, 200, 100, 50), 1, 1e6, higher_is_better=True, integer=False, unit="kbit/s")
"""The levels with `rate=abr` and `rate=cbr`: a bitrate. The ladder suits clips of about 320x240 pixels (UCF101)."""

_PACKED = "this swscale gives other pixels in planes than packed, so decoded frames are converted packed."

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


def shared(gop: str, pix_fmts: tuple[str, ...], ranges: tuple[str, ...] = tuple(RANGES)) -> tuple[Option, ...]:
    """Return the options that every video codec has.

    Args:
        gop: default of the option `gop`.
        pix_fmts: choices of the option `pix_fmt`.
        ranges: choices of the option `range`.
    """
    return (
        Option("gop", str, gop, "most frames from one key frame to the next, or seconds (2s); 1 codes each by itself"),
        Option("rate", str, "quality",
               "what the level sets: quality, or kbit/s that are kept: on average (abr), in a decoder's buffer (cbr)",
               choices=("quality", "abr", "cbr")),
        Option("buffer", float, None, "with rate=cbr: seconds of the decoder's buffer (VBV), 1 when not set",
               minimum=0.01, maximum=60),
        Option("pix_fmt", str, "yuv420p", "pixel format", choices=pix_fmts),
        Option("matrix", str, "bt709", "RGB to YUV matrix", choices=tuple(MATRICES)),
        Option("range", str, "limited", "16-235 or 0-255", choices=ranges),
        Option("threads", int, 1, "of the encoder; another number gives other bytes", minimum=1, maximum=16),
    )  # fmt: skip


class AvCodec(Codec):
    """A video codec that encodes and decodes with libav, in this process.

    Class attributes:
        encoders: the libavcodec encoders that produce this format; the first is the default. A codec with several
            encoders has an option `encoder` that selects one.
        decoder: libavcodec's name of the decoder.

    Attributes:
        encoder: the selected encoder.
        colour: how RGB frames are converted to YUV.
    """

    coding = "video"
    costly = True
    revision = 2  # 1: chroma was sampled at the centre, and left for the decoder's word to place (0.1.0)
    # 2: streams that overspent or let the decoder's buffer run empty are encoded again (av_rate)
    option_revisions: ClassVar[Mapping[tuple[str, Value], int]] = {("rate", "abr"): 2, ("rate", "cbr"): 2}
    encoders: ClassVar[tuple[Encoder, ...]]
    decoder: ClassVar[str]

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        selected = self.config.get("encoder", self.encoders[0].name)
        (self.encoder,) = (encoder for encoder in self.encoders if encoder.name == selected)
        self.scale = self.encoder.scale if self.option("rate") == "quality" else KBPS
        self.colour = Colour(self.option("pix_fmt"), self.option("matrix"), self.option("range"), self.encoder.smallest)
        self._check()

    @abstractmethod
    def parameters(self, level: float) -> dict[str, str]:
        """Return the encoder's options under libavcodec's names.

        The result has no key-frame interval and no bitrate; `encode` adds those. With `rate=quality`, it has the
        options that set the level.
        """

    def packet(self, packet: bytes) -> bytes:
        """Return the part of an encoder's packet that belongs to the stream. The default returns the whole packet."""
        return packet

    def stream_fps(self, fps: Fraction) -> Fraction:
        """Return the frame rate that the stream states: the clip's own rate, unless the format cannot express it."""
        return fps

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        if level is None or self.scale is None:
            raise UsageError(f"codec {self.name} needs a level.")
        self.scale.check(level, self.name)
        count, height, width, _ = frames.shape
        size = self.colour.padded(height, width)
        clip_fps = Fraction(fps).limit_denominator(1001) if fps else IMAGE_FPS
        stream_fps = self.stream_fps(clip_fps)

        def coded(told: float) -> list[bytes]:
            options = {
                **self.parameters(told),
                **self._kbps(told, count, fps, stream_fps / clip_fps),
                "g": str(self._key_frames(count, fps)),
            }
            yuv = self.colour.to_yuv(frames)
            packets = encode(self.encoder.name, yuv, size, stream_fps, self.colour, self.option("threads"), options)
            return [self.packet(packet) for packet in packets]

        if self.option("rate") == "quality" or not fps:
            stream = coded(level)
        else:
            stream = keep_rate(coded, Promise(level, fps, self._buffer()), self.name)
        return Encoded(join(stream), 8 * sum(map(len, stream)), count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        frames = np.empty((encoded.frames, encoded.height, encoded.width, 3), np.uint8)
        decoded = decode(self.decoder, split(encoded.data))
        count = 0
        for image in self.colour.to_rgb(decoded, encoded.height, encoded.width, frames):
            if image.shape != frames.shape[1:]:
                raise CodecError(f"{self.name}: frames of {frames.shape[1:]} were coded, {image.shape} came back.")
            count += 1
        if count != encoded.frames:
            raise CodecError(f"{self.name}: {encoded.frames} frames were coded, {count} came back.")
        return frames

    def fingerprint(self) -> Mapping[str, Value]:
        """Return the versions of PyAV, libav and the encoder's library (or the GPU and its driver), and the thread
        count.

        Raises:
            UsageError: the installed PyAV does not have this encoder.
        """
        library_versions = versions(self.encoder.name, self.encoder.library)
        gpu_facts = nvidia() if self.encoder.library is None else {}
        return {**library_versions, **gpu_facts, "encoder": self.encoder.name, "threads": self.option("threads")}

    def available(self) -> str | None:
        from importlib.util import find_spec

        if find_spec("av") is None:
            return "PyAV is not installed: pip install av."
        if self.encoder == self.encoders[0]:
            return None
        if reason := refusal(self.encoder.name):
            alternatives = ", ".join(f"encoder={other.name}" for other in self.encoders if other != self.encoder)
            return (
                f"encoder {self.encoder.name} does not work on this machine (libav says: {reason}). It needs an NVIDIA "
                f"GPU that has an encoder, and its driver. Here there is: {alternatives}."
            )
        return None

    def problems(self) -> Sequence[str]:
        if is_equal(self.colour.picture):
            return ()
        return (f"{self.name}: {_PACKED} That takes longer.",)

    def implementation(self) -> str | None:
        return None if is_equal(self.colour.picture) else _PACKED

    def clips_only(self) -> str | None:
        if self.option("rate") == "quality":
            return None
        return f"rate={self.option('rate')} sets kbit/s, and an image has no duration. Use rate=quality."

    def _check(self) -> None:
        """Check that the options fit the selected encoder and each other.

        Raises:
            UsageError: the encoder does not support an option's value, or two options contradict each other.
        """
        supported = {
            "preset": self.encoder.presets or (self.config.get("preset"),),
            "tune": (None, *self.encoder.tunes),
            "pix_fmt": self.encoder.pix_fmts,
        }
        for name, values in supported.items():
            if name in self.config and self.config[name] not in values:
                choices = ", ".join(str(value) for value in values if value is not None) or "none"
                raise UsageError(f"{self.encoder.name} has no {name}={self.config[name]}. There is: {choices}.")
        if self.config["buffer"] is not None and self.option("rate") != "cbr":
            raise UsageError(f"{self.name}: buffer= is for rate=cbr; rate is {self.option('rate')}.")
        self._gop()

    def _gop(self) -> tuple[int | None, float | None]:
        """Return the option `gop` as (frames, None) or as (None, seconds)."""
        text = str(self.option("gop"))
        if text.isdecimal() and int(text) >= 1:
            return int(text), None
        if (match := _SECONDS.fullmatch(text)) and float(match[1]) > 0:
            return None, float(match[1])
        raise UsageError(f"option gop={text}: a number of frames from 1, or seconds such as 2s, expected.")

    def _key_frames(self, count: int, fps: float | None) -> int:
        """Return the largest distance between key frames, in frames.

        Raises:
            CodecError: the option `gop` is in seconds, and the clip has no frame rate.
        """
        frames, seconds = self._gop()
        if frames is not None:
            return frames
        if not fps and count > 1:
            raise CodecError(f"{self.name} with gop={seconds:g}s needs to know the frame rate of a clip; it has none.")
        return max(1, round((seconds or 0) * (fps or float(IMAGE_FPS))))

    def _buffer(self) -> float | None:
        """Return the size of the decoder's buffer in seconds of the bitrate; None without `rate=cbr`."""
        return float(self.option("buffer") or 1) if self.option("rate") == "cbr" else None

    def _kbps(self, level: float, count: int, fps: float | None, stretch: Fraction) -> dict[str, str]:
        """Return libavcodec's options for the bitrate; none with `rate=quality`.

        Args:
            level: bitrate in kbit/s, over the clip's own duration.
            count: number of frames in the clip.
            fps: frame rate of the clip.
            stretch: the stream's frame rate divided by the clip's.

        Raises:
            CodecError: the clip is a single image or has no frame rate.
        """
        if self.option("rate") == "quality":
            return {}
        if count == 1 or not fps:
            missing = "an image has no duration" if count == 1 else "this clip has no frame rate"
            raise CodecError(f"{self.name} with rate={self.option('rate')}: {missing}.")
        bits = round(level * 1000 * stretch)
        if self.option("rate") == "abr":
            return {"b": str(bits)}
        # The buffer holds so many bits of the clip's own time, also where the stream states another frame rate.
        buffer = round(level * 1000 * (self._buffer() or 1))
        return {"b": str(bits), "minrate": str(bits), "maxrate": str(bits), "bufsize": str(buffer)}


def gpu(name: str, ladder: tuple[float, ...]) -> Encoder:
    """Return an encoder that runs on an NVIDIA GPU (NVENC).

    Its constant-quality control is `cq`. The scale starts at 1, because with 0 the encoder chooses the quality itself.
    """
    scale = Scale("cq", ladder, 1, 51, higher_is_better=False, integer=False)
    presets = ("slow", "medium", "fast", *(f"p{number}" for number in range(1, 8)))
    return Encoder(name, scale, None, presets, ("hq", "ll", "ull"), ("yuv420p", "yuv444p"), smallest=160)
