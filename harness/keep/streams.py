"""Encoding, once: what a costly codec made of some frames is kept for whoever codes the same frames in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.keep.kept import Kept, digest_of, pack, unpack

if TYPE_CHECKING:
    from harness.codec import Codec, Encoded, Frames, Level

__all__ = ["encode", "stream_key"]


def stream_key(identity: Mapping[str, Any], frames: str) -> str:
    """What a stream is known by.

    Args:
        identity: codec, options, fingerprint, level and plugin: all that decides the bytes made of given frames.
        frames: the digest of the frames (`harness.keep.kept.frames_digest`).
    """
    return digest_of("stream 1", identity, frames)


def encode(
    codec: Codec, frames: Frames, level: Level, fps: float | None, kept: Kept, key: Callable[[], str]
) -> tuple[Encoded, float]:
    """The stream of some frames, and the milliseconds that encoding took, now or when it was first made.

    Args:
        codec: levers included.
        frames: uint8[T, H, W, 3], RGB.
        level: a position on the codec's scale.
        fps: frames a second; None for an image.
        kept: where streams of codecs that are `costly` are kept.
        key: gives the stream's key; asked for only when it is needed.
    """
    name = key() if codec.costly else None
    if name and (payload := kept.get(name)) is not None and (found := unpack(payload)) is not None:
        return found[0], found[1]["encode_ms"]
    started = time.perf_counter()
    encoded = codec.encode(frames, level, fps)
    milliseconds = 1000 * (time.perf_counter() - started)
    if name:
        kept.put(name, pack(encoded, {"encode_ms": milliseconds}))
    return encoded, milliseconds
