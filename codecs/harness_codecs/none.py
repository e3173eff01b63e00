"""The codec `none`: no compression, bit-exact. It is the baseline that all other codecs are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import hookimpl
from harness.codec import Codec, Encoded, Level, check_frames
from harness.errors import CodecError, UsageError

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = ["Uncompressed", "harness_codecs"]


class Uncompressed(Codec):
    """Stores the raw frames, 24 bits per pixel. Decoding returns exactly the same frames."""

    name = "none"
    summary = "no compression: the bit-exact baseline"
    coding = "image"
    scale = None

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        check_frames(frames, self.name)
        if level is not None:
            raise UsageError(f"codec {self.name} has no levels; {level:g} was asked for.")
        count, height, width, _ = frames.shape
        return Encoded(frames.tobytes(), 8 * frames.size, count, height, width, fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        shape = (encoded.frames, encoded.height, encoded.width, 3)
        flat = np.frombuffer(encoded.data, np.uint8)
        if flat.size != encoded.frames * encoded.height * encoded.width * 3:
            raise CodecError(f"{self.name}: frames uint8{list(shape)} were coded, {flat.size} bytes came back.")
        # The copy makes the array writable, as with every other codec: an array over `bytes` is read-only.
        return flat.reshape(shape).copy()


@hookimpl
def harness_codecs() -> Iterable[type[Codec]]:
    return (Uncompressed,)
