"""`none`: no compression, bit-exact. It is the baseline that every other codec is compared with."""

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
    """The frames themselves, 24 bits a pixel; decoding gives them back bit for bit."""

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
        # One copy: what shares the memory of `bytes` could not be written to, unlike what every other codec gives.
        return flat.reshape(shape).copy()


@hookimpl
def harness_codecs() -> Iterable[type[Codec]]:
    return (Uncompressed,)
