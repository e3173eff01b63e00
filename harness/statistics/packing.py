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
import math
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["pack", "unpack"]

_MAGIC = b"HST1"
_LENGTH = struct.Struct("<Q")
_LARGEST = 1 << 30
_DTYPES = frozenset(
    ["|b1", "|i1", "|u1", *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)), "<f2", "<f4", "<f8"]
)


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
    header, parts = [], []
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
        position = 8 + length
        frames = []
        for layout in header:
            frame = {}
            for name, dtype, shape in layout:
                frame[_text(name)], position = _array(body, position, dtype, shape)
            frames.append(frame)
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


def _array(body: bytes, position: int, dtype: Any, shape: Any) -> tuple[NDArray[Any], int]:
    """Return the array that begins at a position of the body, and the position of the next array.

    Raises:
        ValueError: the dtype or the shape is not valid, or the body ends before the array does.
    """
    import numpy as np

    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}")
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size <= _LARGEST for size in shape):
        raise ValueError(f"shape {shape!r}")
    kind: np.dtype[Any] = np.dtype(dtype)
    count = math.prod(shape)
    end = position + count * kind.itemsize
    if end > len(body):
        raise ValueError("an array is cut short")
    array = np.frombuffer(body, kind, count, position).reshape(shape)
    return array, position + -(-(end - position) // 8) * 8


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"name {name!r}")
    return name


def _damaged(what: str) -> StoreError:
    return StoreError(
        f"the database's statistics of a sample are damaged ({what}). Restore the database from a copy, or delete the "
        "experiment's row and run it again."
    )
