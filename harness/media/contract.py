"""What a codec gives back is checked before anything counts it: the rate, the stream, the frames.

Codecs are plugins of other people. All parts of the harness that encode or decode use these functions, so that none
counts a rate that another refuses.
"""

from __future__ import annotations

import reprlib
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from harness.codec import Encoded
from harness.errors import CodecError, plain_text

if TYPE_CHECKING:
    from harness.codec import Frames

__all__ = ["MOST_BITS", "check_decoded", "check_encoded", "check_frames_back"]

_SHORT = reprlib.Repr()
_SHORT.maxlong = _SHORT.maxstring = _SHORT.maxother = 60
MOST_BITS = 2**63
"""A rate is smaller than this: databases store whole numbers of 64 bits, with a sign."""


def check_encoded(encoded: Any, frames: Frames, fps: float | None, codec: str) -> Encoded:
    """Return what a codec's `encode` gave, with the rate as an `int`.

    `fps` may be left out by the codec (None, the default of `Encoded`); the clip's own is then filled in.

    Args:
        encoded: what `encode` gave.
        frames: uint8[T, H, W, 3], the frames that were to be encoded.
        fps: their frame rate in frames per second; None for an image.
        codec: the codec's name, for the error message.

    Raises:
        CodecError: it is no `Encoded`; the rate is not a whole number of bits from 1 to 2^63 - 1; the stream is not
            `bytes`; or the number, the size or the rate of the frames is not what was to be encoded.
    """
    if not isinstance(encoded, Encoded):
        raise CodecError(f"{codec}: encode gave {_words(encoded)}; a harness.codec.Encoded is expected.")
    bits = encoded.bits
    if not isinstance(bits, Integral) or isinstance(bits, bool) or not 0 < bits < MOST_BITS:
        raise CodecError(
            f"{codec}: encode gave a rate of {_words(bits)}; a whole number of bits (int) is expected, above 0 and "
            "below 2^63."
        )
    if not isinstance(encoded.data, bytes):
        raise CodecError(f"{codec}: encode gave a stream of type {_type(encoded.data)}; bytes are expected.")
    count, height, width, _ = frames.shape
    for field, expected in (("frames", count), ("height", height), ("width", width)):
        given = getattr(encoded, field)
        if isinstance(given, bool) or not isinstance(given, Integral) or given != expected:
            raise CodecError(
                f"{codec}: encode gave Encoded.{field} = {_words(given)}, but {frames.dtype}{list(frames.shape)} was "
                f"to be encoded: {expected} is expected (the source's, whatever the stream holds)."
            )
    given = encoded.fps
    if given is not None and (isinstance(given, bool) or not isinstance(given, Real) or given != fps):
        raise CodecError(
            f"{codec}: encode gave Encoded.fps = {_words(given)}; the frames have {fps}, which is expected."
        )
    return replace(encoded, bits=int(bits), frames=count, height=height, width=width, fps=fps)


def check_decoded(decoded: Any, frames: Frames, codec: str) -> Frames:
    """Return what a codec's `decode` gave: as many frames as were encoded, of the same size and type.

    Args:
        decoded: what `decode` gave.
        frames: uint8[T, H, W, 3], the frames that were encoded.
        codec: the codec's name, for the error message.

    Raises:
        CodecError: it is anything else.
    """
    return check_frames_back(decoded, frames.shape, codec)


def check_frames_back(decoded: Any, shape: tuple[int, ...], codec: str) -> Frames:
    """Return decoded frames, if they are an array uint8 of a shape.

    Raises:
        CodecError: they are anything else.
    """
    import numpy as np

    if not isinstance(decoded, np.ndarray):
        raise CodecError(f"{codec}: uint8{shape} went in, {_words(decoded)} came back, no NumPy array.")
    if decoded.shape != shape or decoded.dtype != np.uint8:
        raise CodecError(f"{codec}: uint8{shape} went in, {decoded.dtype}{decoded.shape} came back.")
    return decoded


def _words(value: object) -> str:
    """Return a value and its type for a message, cut to a readable length. The value itself may be of any size."""
    if value is not None and not isinstance(value, bool | int | float | str | bytes):
        return f"({_type(value)})"
    return f"{plain_text(_SHORT.repr(value))} ({_type(value)})"


def _type(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
