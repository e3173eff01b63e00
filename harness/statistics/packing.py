"""Converts the sufficient statistics of a sample to bytes, in which form a store keeps them, and back.

The layout of the bytes:

1. the magic `HST1`;
2. the length of the uncompressed body (uint64, little-endian);
3. the body, compressed with zlib (level 1).

The body consists of the length of the header (uint64), the header (JSON: for each frame a list of [name, dtype,
shape]), and the raw arrays (little-endian, C order, each padded to a multiple of 8 bytes). Unpacking cannot run code.
zlib's checksum detects altered bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from harness.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["Packed", "pack", "unpack"]

_MAGIC = b"HST1"
_LENGTH = struct.Struct("<Q")
_LARGEST = 1 << 30
_DTYPES = frozenset(
    ["|b1", "|i1", "|u1", *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)), "<f2", "<f4", "<f8"]
)


class Packed(Sequence["Statistics"]):
    """The statistics of a sample's scored frames as the bytes of `pack`. They are unpacked when a frame is asked for.

    Workers send statistics in this form, and a store that keeps bytes need not unpack them.

    Args:
        data: the bytes.
        frames: the number of scored frames; None if it is only known once the bytes are unpacked.
    """

    __slots__ = ("_count", "_frames", "data")

    def __init__(self, data: bytes, frames: int | None = None) -> None:
        self.data = data
        self._count = frames
        self._frames: list[dict[str, NDArray[Any]]] | None = None

    @classmethod
    def of(cls, frames: Sequence[Statistics]) -> Packed:
        """Pack the statistics of a sample's scored frames."""
        return cls(pack(frames), len(frames))

    @overload
    def __getitem__(self, place: int) -> Statistics: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Statistics]: ...

    def __getitem__(self, place: int | slice) -> Statistics | Sequence[Statistics]:
        return self._unpacked()[place]

    def __iter__(self) -> Iterator[Statistics]:
        return iter(self._unpacked())

    def __len__(self) -> int:
        return len(self._unpacked()) if self._count is None else self._count

    def __reduce__(self) -> tuple[type[Packed], tuple[bytes, int | None]]:
        return Packed, (self.data, self._count)

    def _unpacked(self) -> list[dict[str, NDArray[Any]]]:
        if self._frames is None:
            self._frames = unpack(self.data)
        return self._frames


def pack(frames: Sequence[Statistics]) -> bytes:
    """Convert the statistics of a sample's scored frames to bytes.

    Args:
        frames: for each frame a mapping of names to arrays (bool, int, uint or float of at most 64 bits).

    Raises:
        StoreError: an array has another dtype, or the statistics are larger than 1 GiB.

    >>> import numpy as np
    >>> unpack(pack([{"error": np.array([1.5, 2.5])}]))[0]["error"].tolist()
    [1.5, 2.5]
    """
    if isinstance(frames, Packed):
        return frames.data
    header: list[Any] = []
    parts: list[bytes] = []
    for frame in frames:
        layout = []
        for name, value in frame.items():
            array = _plain(name, value)
            layout.append([name, array.dtype.str, list(array.shape)])
            data = array.tobytes()
            parts += [data, bytes(-len(data) % 8)]
        header.append(layout)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join([_LENGTH.pack(len(text)), text, *parts])
    if len(body) > _LARGEST:
        raise StoreError(f"the statistics of one sample take {len(body)} bytes; at most {_LARGEST} can be kept.")
    return _MAGIC + _LENGTH.pack(len(body)) + zlib.compress(body, 1)


def unpack(data: bytes) -> list[dict[str, NDArray[Any]]]:
    """Convert bytes of `pack` back to the statistics of a sample's scored frames. The arrays are read-only.

    Raises:
        StoreError: the bytes were not written by `pack`, or were damaged since.
    """
    body = _inflated(data)
    try:
        (length,) = _LENGTH.unpack_from(body)
        header = json.loads(body[8 : 8 + length])
        frames, position = _frames(body, header, 8 + length)
    except (ValueError, TypeError, OverflowError, RecursionError, struct.error) as error:
        raise _damaged(str(error)) from error
    if position != len(body):
        raise _damaged(f"{len(body) - position} bytes too many")
    return frames


def _plain(name: str, value: Any) -> NDArray[Any]:
    """Return the array in C order and little-endian; refuse dtypes that cannot be stored."""
    import numpy as np

    if type(value) is np.ndarray and value.flags.c_contiguous and value.dtype.str in _DTYPES:
        return value
    array = np.ascontiguousarray(value).reshape(np.shape(value))
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype.str not in _DTYPES:
        raise StoreError(
            f"statistic {name!r} has dtype {array.dtype}: a task's statistics are arrays of bool, int, uint or "
            "float of at most 64 bits."
        )
    return array


def _inflated(data: bytes) -> bytes:
    """Decompress the body, at most to the length that the bytes state.

    Raises:
        StoreError: the bytes are damaged, or state a length above 1 GiB.
    """
    start = len(_MAGIC) + _LENGTH.size
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise _damaged("they do not begin as statistics do")
    (length,) = _LENGTH.unpack_from(data, len(_MAGIC))
    if length > _LARGEST:
        raise _damaged(f"they claim to hold {length} bytes")
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(data[start:], length + 1)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if len(body) != length or not stream.eof or stream.unused_data:
        raise _damaged("they are cut short or too long")
    return body


def _frames(body: bytes, header: Any, position: int) -> tuple[list[dict[str, NDArray[Any]]], int]:
    """Return the arrays of each frame, and the position after the last one. Most of the time of reading is spent here.

    Raises:
        ValueError: a name, a dtype or a shape is not valid, or the body ends before an array does.
        TypeError: the header is not what `pack` writes.
    """
    from numpy import frombuffer

    kinds, frames = _kinds(), []
    for layout in header:
        frame: dict[str, NDArray[Any]] = {}
        for name, dtype, shape in layout:
            if type(name) is not str or type(shape) is not list or dtype not in kinds:
                raise ValueError(f"name {name!r}, dtype {dtype!r}, shape {shape!r}")
            count = 1
            for size in shape:
                if type(size) is not int or not 0 <= size <= _LARGEST:
                    raise ValueError(f"shape {shape!r}")
                count *= size
            kind, item = kinds[dtype]
            if position + count * item > len(body):
                raise ValueError("an array is cut short")
            array = frombuffer(body, kind, count, position)
            frame[name] = array if len(shape) == 1 else array.reshape(shape)
            position += -(-count * item // 8) * 8
        frames.append(frame)
    return frames, position


@cache
def _kinds() -> dict[str, tuple[np.dtype[Any], int]]:
    """Return each dtype that can be stored, with its number of bytes, by its name in the header."""
    import numpy as np

    return {name: (np.dtype(name), np.dtype(name).itemsize) for name in _DTYPES}


def _damaged(what: str) -> StoreError:
    return StoreError(
        f"the database's statistics of a sample are damaged ({what}). Restore the database from a copy, or delete the "
        "experiment's row and run it again."
    )
