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
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import CodecError, UsageError
from harness.options import Configured, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]
    """RGB frames, uint8[T, H, W, 3]."""

__all__ = ["Codec", "Encoded", "ImageCodec", "Level", "Scale"]

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

    Attributes:
        scale: the codec's control; None for a codec that has none. It may be set in `__init__`, since it may depend
            on options.
    """

    coding: ClassVar[Literal["image", "video"]]
    wants_device: ClassVar[bool] = False
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

    def to_device(self, device: str) -> None:
        """Move to a torch device ("cpu", "cuda:0", ...). Called only when `wants_device`."""

    def warn(self, level: Level, source_format: str | None, source_quality: int | None) -> str | None:
        """A sentence when coding a source so coded at this level says little, else None."""
        return None


class ImageCodec(Codec):
    """A codec of single images: implement the image pair, video and framing come by themselves.

    The frames' streams are joined in `data`, each behind its length (framing, not rate): `bits` counts the streams.
    """

    coding = "image"

    @abstractmethod
    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        """Code one image uint8[H, W, 3] (RGB); every byte of the result counts as rate."""

    @abstractmethod
    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        """The image of a stream, uint8[H, W, 3] (RGB)."""

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        if level is None:
            raise UsageError(f"codec {self.name} needs a level.")
        streams = [self.encode_image(frame, level) for frame in frames]
        data = b"".join(struct.pack("<Q", len(stream)) + stream for stream in streams)
        bits = 8 * sum(len(stream) for stream in streams)
        count, height, width, _ = frames.shape
        return Encoded(data, bits, count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        images, position = [], 0
        while position < len(encoded.data):
            (length,) = struct.unpack_from("<Q", encoded.data, position)
            position += 8
            images.append(self.decode_image(encoded.data[position : position + length]))
            position += length
        if len(images) != encoded.frames:
            raise CodecError(f"{self.name}: {encoded.frames} frames were coded, {len(images)} came back.")
        return images[0][None] if len(images) == 1 else np.stack(images)
