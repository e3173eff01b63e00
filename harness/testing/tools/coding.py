"""Codes frames once, here or in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.codec import Codec, Level

__all__ = ["all_coded", "coded", "coded_at_once"]


def coded(codec: Codec, frames: Any, level: Level, fps: float | None) -> tuple[bytes, int, bytes]:
    """Return the stream, the rate in bits, and the decoded bytes of frames at a level."""
    encoded = codec.encode(frames, level, fps)
    return encoded.data, encoded.bits, codec.decode(encoded).tobytes()


def coded_at_once(codec: Codec, batch: list[Any], level: Level, fps: float | None) -> list[tuple[bytes, int, bytes]]:
    """Return what `coded` gives for each of some samples, whose frames are encoded and decoded at once."""
    encoded = list(codec.encode_batch(batch, level, fps))
    decoded = list(codec.decode_batch(encoded))
    return [(one.data, one.bits, frames.tobytes()) for one, frames in zip(encoded, decoded, strict=True)]


def all_coded(codec: Codec, frames: Any, levels: Any, fps: float | None) -> tuple[list[Any], dict[str, Any]]:
    """Return what `coded` gives for each level, and the codec's fingerprint."""
    return [coded(codec, frames, level, fps) for level in levels], dict(codec.fingerprint())
