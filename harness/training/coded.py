"""Compressed training data: encodes and decodes frames before the model prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of, frames_digest
from harness.keep.streams import encode, stream_key
from harness.media.contract import check_decoded
from harness.media.levers import at_phase, drops_frames, frames_sent, unseen_frames
from harness.training.frame_coding import FrameCoding, all_seen

if TYPE_CHECKING:
    import numpy as np

    from harness.codec import Codec, Frames, Level

__all__ = ["CodecCoding", "codec_coding"]


def codec_coding(
    codec: Codec, levels: Sequence[Level], identity: Mapping[str, Any], whole_clips: bool = False
) -> FrameCoding:
    """Return the coding of training data with a codec.

    With several levels, each example is coded at a random one of them. With `fps=`, each example has a random phase.

    Args:
        codec: the codec, including its levers (`scale`, `fps`).
        levels: the levels, at least one.
        identity: everything, apart from the level, that determines the codec's bytes.
        whole_clips: whether the targets belong to whole clips (`harness.task.Task.judges`), so that none is left out.
    """
    coding = CodecCoding(codec, tuple(levels), identity)
    unseen = partial(unseen_frames, codec)
    key = digest_of("coded", identity, list(levels))
    return FrameCoding(key, coding, coding.problems, all_seen if whole_clips else unseen)


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
        """Return why streams could not be stored in the cache, and what the codec has to say; usually nothing."""
        return [*([self._kept.problem] if self._kept.problem else []), *self._codec.problems()]

    def __call__(self, frames: Frames, fps: float | None, rng: np.random.Generator) -> Frames:
        level = self._levels[int(rng.integers(len(self._levels)))]
        codec = at_phase(self._codec, float(rng.random())) if drops_frames(self._codec) else self._codec

        def key() -> str:
            sent = frames_sent(codec, len(frames), fps)
            return stream_key({**self._identity, "level": level}, frames_digest(frames, fps), sent)

        encoded, _ = encode(codec, frames, level, fps, self._kept, key)
        return check_decoded(codec.decode(encoded), frames, codec.name)
