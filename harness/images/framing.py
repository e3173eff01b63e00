"""The streams of several images as one: each stands after its length, which does not count as rate."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from harness.errors import CodecError, found

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["as_many", "check_image", "check_stream", "joined", "only_stream", "separated"]

_LENGTH = struct.Struct("<Q")

Given = TypeVar("Given")


def joined(streams: Iterable[bytes]) -> bytes:
    """Return streams as one."""
    return b"".join(_LENGTH.pack(len(stream)) + stream for stream in streams)


def separated(data: bytes) -> Iterator[bytes]:
    """Yield the streams of `joined`."""
    position = 0
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        yield data[position : position + length]
        position += length


def only_stream(data: bytes) -> bytes | None:
    """Return the stream of `joined` if there is one alone, else None."""
    if len(data) < _LENGTH.size or len(data) != _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        return None
    return data[_LENGTH.size :]


def check_stream(stream: bytes, codec: str) -> bytes:
    """Return what `encode_image` gave, if it is bytes.

    Raises:
        CodecError: it is anything else.
    """
    if not isinstance(stream, bytes):
        raise CodecError(f"{codec}: encode_image gave {found(stream)}; bytes are expected.")
    return stream


def check_image(image: NDArray[np.uint8], shape: tuple[int, ...], codec: str) -> None:
    """Check what `decode_image` gave: an array uint8 of a shape.

    Raises:
        CodecError: it is anything else.
    """
    if not hasattr(image, "shape") or not hasattr(image, "dtype"):
        raise CodecError(f"{codec}: decode_image gave {found(image)}; a NumPy array is expected.")
    if image.shape != shape or image.dtype != "uint8":
        raise CodecError(f"{codec}: an image uint8{list(shape)} was coded, {image.dtype}{list(image.shape)} came back.")


def as_many(given: Iterable[Given], count: int, what: str) -> list[Given]:
    """Return what was given for each of some samples.

    Raises:
        CodecError: it is not one thing for each.
    """
    listed = list(given)
    if len(listed) != count:
        raise CodecError(f"{what} gave {len(listed)} results for {count}.")
    return listed
