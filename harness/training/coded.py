"""Training data as a codec leaves them: encoded and decoded before they are prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of, frames_digest
from harness.keep.streams import encode, stream_key
from harness.training.through import FrameCoding

if TYPE_CHECKING:
    import numpy as np

    from harness.codec import Codec, Frames, Level

__all__ = ["CodecCoding", "codec_coding"]


def codec_coding(codec: Codec, levels: Sequence[Level], identity: Mapping[str, Any]) -> FrameCoding:
    """What training data go through: the codec, at one level, or at a random one of several for each example.

    Args:
        codec: levers included.
        levels: at least one.
        identity: what decides the codec's bytes, but for the level.
    """
    action = CodecCoding(codec, tuple(levels), identity)
    return FrameCoding(digest_of("coded", identity, list(levels)), action, action.problems)


class CodecCoding:
    """Encodes and decodes frames; lives in worker processes.

    What a codec encodes slowly is kept, so that the second epoch, and every later training or experiment on the same
    frames at the same level, only decodes.
    """

    def __init__(self, codec: Codec, levels: tuple[Level, ...], identity: Mapping[str, Any]) -> None:
        self._codec = codec
        self._levels = levels
        self._identity = dict(identity)
        self._kept = Kept("encoded")

    def problems(self) -> list[str]:
        """Why streams could not be kept."""
        return [self._kept.problem] if self._kept.problem else []

    def __call__(self, frames: Frames, fps: float | None, rng: np.random.Generator) -> Frames:
        level = self._levels[int(rng.integers(len(self._levels)))]

        def key() -> str:
            return stream_key({**self._identity, "level": level}, frames_digest(frames, fps))

        return self._codec.decode(encode(self._codec, frames, level, fps, self._kept, key)[0])
