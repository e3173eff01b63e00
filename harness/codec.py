"""The contract of a codec: frames in, bits counted, frames out.

A codec knows no task, model or dataset. It is given frames `uint8[T, H, W, 3]` (RGB; T = 1 for an image), codes them
at a level of its own scale, and gives back as many frames of the same size. A complete image codec::

    class Zlib(ImageCodec):
        name = "posterize"
        summary = "PNG of an image reduced to a few grey levels a channel"
        scale = Scale("bits", ladder=(8, 6, 4, 2), minimum=1, maximum=8, higher_is_better=True)

        def encode_image(self, image, level):          # uint8[H, W, 3] -> bytes
            buffer = io.BytesIO()
            step = 1 << (8 - int(level))
            Image.fromarray(image // step * step).save(buffer, "png")
            return buffer.getvalue()

        def decode_image(self, data):                  # bytes -> uint8[H, W, 3]
            return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

        def fingerprint(self):                         # whatever touches pixels or bytes, beside the options
            return {"pillow": PIL.__version__}
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from harness.errors import CodecError, UsageError
from harness.options import Configured, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Codec", "Encoded", "Frames", "ImageCodec", "Level", "Scale", "check_frames"]

Frames: TypeAlias = "NDArray[np.uint8]"
"""RGB frames, uint8[T, H, W, 3]. (A text at run time, so that contracts do not import NumPy.)"""

Level = float | None
"""A position on a codec's scale; None for a codec without one (`none`)."""


@dataclass(frozen=True)
class Scale:
    """The codec's own control in its own unit, and the ladder it is tested at by default.

    Args:
        name: what the codec calls it: "quality", "crf", ...
        ladder: the default levels, mildest compression first.
        minimum: the smallest level allowed.
        maximum: the largest level allowed.
        higher_is_better: whether a larger number keeps more of the picture.
        integer: whether only whole numbers are allowed.
        unit: the unit, where the control has one ("kbit/s").
    """

    name: str
    ladder: tuple[float, ...]
    minimum: float
    maximum: float
    higher_is_better: bool
    integer: bool = True
    unit: str = ""

    def check(self, level: float, codec: str) -> float:
        """The level, if the scale has it.

        Raises:
            UsageError: out of range, or not whole where whole numbers are asked for.
        """
        whole = self.integer and level != int(level) if abs(level) < 1e15 else True
        if not self.minimum <= level <= self.maximum or whole:
            kind = "a whole number" if self.integer else "a number"
            raise UsageError(
                f"codec {codec} has no level {level:g}: {self.name} is {kind} "
                f"from {self.minimum:g} to {self.maximum:g}."
            )
        return level

    def mildest_first(self, levels: tuple[float, ...]) -> tuple[float, ...]:
        """The levels without doubles, from the mildest to the strongest compression."""
        return tuple(sorted(set(levels), reverse=self.higher_is_better))


@dataclass(frozen=True)
class Encoded:
    """What an encoder made of some frames.

    Args:
        data: whatever `decode` needs; it may carry framing that is not rate.
        bits: the rate: bits of the elementary stream, without container and encoder banners.
        frames: T of the source.
        height: H of the source in pixels.
        width: W of the source in pixels.
        fps: frames a second of the source; None for an image.
    """

    data: bytes
    bits: int
    frames: int
    height: int
    width: int
    fps: float | None = None


class Codec(Configured, ABC):
    """A lossy (or lossless) compressor of frames.

    Class attributes:
        coding: "image" codecs code each frame by itself and serve video frame by frame; "video" codecs serve an
            image as a one-frame clip, which results label `intra`.
        wants_device: whether `to_device` shall be called (learned codecs).
        costly: whether encoding takes so much longer than reading back that what was encoded is kept in the cache
            folder, for the next model, retraining or run that codes the same frames in the same way.

    Attributes:
        scale: the codec's control; None for a codec that has none. It may be set in `__init__`, since it may depend
            on options.
    """

    coding: ClassVar[Literal["image", "video"]]
    wants_device: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    scale: Scale | None

    @abstractmethod
    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        """Code frames uint8[T, H, W, 3] (RGB) at a level. Never changes its input.

        Raises:
            CodecError: the encoder refuses these frames; the message says why.
        """

    @abstractmethod
    def decode(self, encoded: Encoded) -> Frames:
        """The decoded frames, uint8[T, H, W, 3] (RGB), of the source's size and count."""

    def fingerprint(self) -> Mapping[str, Value]:
        """Whatever touches pixels or bytes, beside the options: library versions, thread counts, build flags."""
        return {}

    def available(self) -> str | None:
        """None when the codec can work on this machine, else a sentence that says what is missing."""
        return None

    def clips_only(self) -> str | None:
        """None when it codes single images too, else a sentence that says why, as it is set, it codes clips only."""
        return None

    def to_device(self, device: str) -> None:
        """Move to a torch device ("cpu", "cuda:0", ...). Called only when `wants_device`."""

    def warn(self, level: Level, source_format: str | None, source_quality: int | None) -> str | None:
        """A sentence when coding a source so coded at this level says little, else None."""
        return None


class ImageCodec(Codec):
    """A codec of single images: implement the image pair, video and framing come by themselves.

    The frames' streams are joined in `data`, each behind its length (framing, not rate): `bits` counts the streams,
    or what `stream_bits` says of them.
    """

    coding = "image"

    @abstractmethod
    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        """Code one image uint8[H, W, 3] (RGB). The level has been checked against the scale."""

    @abstractmethod
    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        """The image of a stream, uint8[H, W, 3] (RGB)."""

    def stream_bits(self, data: bytes) -> int:
        """The rate in bits of what `encode_image` made: all of it, unless the codec wraps it in a container."""
        return 8 * len(data)

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        if level is None or self.scale is None:
            raise UsageError(f"codec {self.name} needs a level.")
        self.scale.check(level, self.name)
        streams = [self.encode_image(frame, level) for frame in frames]
        data = b"".join(struct.pack("<Q", len(stream)) + stream for stream in streams)
        bits = sum(self.stream_bits(stream) for stream in streams)
        count, height, width, _ = frames.shape
        return Encoded(data, bits, count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        frames = np.empty((encoded.frames, encoded.height, encoded.width, 3), np.uint8)
        position, count = 0, 0
        while position < len(encoded.data):
            (length,) = struct.unpack_from("<Q", encoded.data, position)
            position += 8
            image = self.decode_image(encoded.data[position : position + length])
            position += length
            if count < encoded.frames:
                _check_decoded(image, frames.shape[1:], self.name)
                frames[count] = image
            count += 1
        if count != encoded.frames:
            raise CodecError(f"{self.name}: {encoded.frames} frames were coded, {count} came back.")
        return frames


def check_frames(frames: Frames, codec: str) -> None:
    """Refuse what is not uint8[T, H, W, 3] with at least one frame and one pixel.

    Raises:
        CodecError: the message says what was given.
    """
    shape, dtype = getattr(frames, "shape", None), getattr(frames, "dtype", None)
    if shape is None or dtype is None:
        raise CodecError(f"{codec} codes arrays uint8[T, H, W, 3], not {type(frames).__name__}.")
    if str(dtype) != "uint8" or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise CodecError(f"{codec} codes RGB frames uint8[T, H, W, 3]; given: {dtype}{list(shape)}.")


def _check_decoded(image: NDArray[np.uint8], shape: tuple[int, ...], codec: str) -> None:
    if image.shape != shape or str(image.dtype) != "uint8":
        raise CodecError(f"{codec}: an image uint8{list(shape)} was coded, {image.dtype}{list(image.shape)} came back.")
