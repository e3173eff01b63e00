"""Compressed training data: encodes and decodes frames before the model prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of, frames_digest
from harness.keep.streams import encode, stream_key
from harness.media.contract import check_decoded
from harness.training.through import FrameCoding

if TYPE_CHECKING:
    import numpy as np

    from harness.codec import Codec, Frames, Level

__all__ = ["CodecCoding", "codec_coding"]


def codec_coding(codec: Codec, levels: Sequence[Level], identity: Mapping[str, Any]) -> FrameCoding:
    """Return the coding of training data with a codec.

    With several levels, each example is coded at a random one of them.

    Args:
        codec: the codec, including its levers (`scale`, `fps`).
        levels: the levels, at least one.
        identity: everything, apart from the level, that determines the codec's bytes.
    """
    coding = CodecCoding(codec, tuple(levels), identity)
    return FrameCoding(digest_of("coded", identity, list(levels)), coding, coding.problems)


class CodecCoding:
    """Encodes and decodes frames with a codec, in worker processes.

    The streams of slow codecs are stored in the cache. The second epoch then only decodes them, and so does every later
    training or experiment with the same frames at the same level.
    """

    def __init__(self, codec: Codec, levels: tuple[Level, ...], identity: Mapping[str, Any]) -> None:
        self._codec = codec
        self._levels = levels
        self._identity = dict(identity)
        self._kept = Kept("encoded")

    def problems(self) -> list[str]:
        """Return why streams could not be stored in the cache; empty if there was no problem."""
        return [self._kept.problem] if self._kept.problem else []

    def __call__(self, frames: Frames, fps: float | None, rng: np.random.Generator) -> Frames:
        level = self._levels[int(rng.integers(len(self._levels)))]

        def key() -> str:
            return stream_key({**self._identity, "level": level}, frames_digest(frames, fps))

        encoded, _ = encode(self._codec, frames, level, fps, self._kept, key)
        return check_decoded(self._codec.decode(encoded), frames, self._codec.name)
