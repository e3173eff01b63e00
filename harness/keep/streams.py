"""Encoding with a cache: the streams of slow codecs are stored, so that no frames are encoded twice in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of, pack_stream, unpack_stream
from harness.media.contract import check_encoded

if TYPE_CHECKING:
    from harness.codec import Codec, Encoded, Frames, Level

__all__ = ["encode", "stream_key"]


def stream_key(identity: Mapping[str, Any], frames: str, sent: Sequence[int] | None = None) -> str:
    """Return the cache key of an encoded stream.

    Args:
        identity: codec, options, fingerprint, level and plugin: everything, apart from the frames, that determines the
            stream's bytes.
        frames: the digest of the frames (`harness.keep.kept.frames_digest`).
        sent: which of the frames are encoded (`harness.media.levers.frames_sent`); None for all. Phases that send the
            same frames share a stream.
    """
    return digest_of("stream 1", identity, frames, *([] if sent is None else [list(sent)]))


def encode(
    codec: Codec,
    frames: Frames,
    level: Level,
    fps: float | None,
    kept: Kept,
    key: Callable[[], str],
    fresh: bool = False,
) -> tuple[Encoded, float]:
    """Encode frames, or read their stream from the cache if the codec is `costly` and the cache has it.

    Args:
        codec: the codec, including its levers.
        frames: uint8[T, H, W, 3], RGB.
        level: the level on the codec's scale.
        fps: frames per second; None for an image.
        kept: the cache for streams of codecs that are `costly`.
        key: returns the stream's cache key; called only if it is needed.
        fresh: whether to encode even if the cache has the stream, and to replace it there.

    Returns:
        The stream, and its encoding time in milliseconds. For a cached stream this is the time of its first encoding.

    Raises:
        CodecError: the codec refuses the frames, or what it gave is not what `harness.codec` asks for.
    """
    # What one device has coded, another may not be able to decode: last bits differ.
    name = key() if codec.costly and not codec.wants_device else None
    payload = kept.get(name) if name and not fresh else None
    if payload is not None and (cached := unpack_stream(payload)) is not None:
        return check_encoded(cached[0], frames, fps, codec.name), cached[1]["encode_ms"]
    started = time.perf_counter()
    encoded = codec.encode(frames, level, fps)
    milliseconds = 1000 * (time.perf_counter() - started)
    encoded = check_encoded(encoded, frames, fps, codec.name)
    if name:
        kept.put(name, pack_stream(encoded, {"encode_ms": milliseconds}))
    return encoded, milliseconds
