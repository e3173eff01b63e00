"""Sufficient statistics as bytes, and back: what a store keeps of a sample.

Layout: the magic `HST1`, the length of what follows when unpacked (uint64, little-endian), and a zlib stream (level 1)
of: the length of the header (uint64), the header (JSON: for each frame a list of [name, dtype, shape]), and the arrays,
raw, little-endian, C order, each padded to 8 bytes. Nothing in it can run code; zlib's checksum finds altered bytes.
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
    """The statistics of a sample's scored frames as bytes.

    Args:
        frames: one mapping of names to arrays (bool, int, uint or float of at most 64 bits) a frame.

    Raises:
        StoreError: an array of another dtype, or more than 1 GiB.

    >>> import numpy as np
    >>> unpack(pack([{"error": np.array([1.5, 2.5])}]))[0]["error"].tolist()
    [1.5, 2.5]
    """
    header, parts = [], []
    for frame in frames:
        described = []
        for name, value in frame.items():
            array = _plain(name, value)
            described.append([name, array.dtype.str, list(array.shape)])
            data = array.tobytes()
            parts += [data, bytes(-len(data) % 8)]
        header.append(described)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join([_LENGTH.pack(len(text)), text, *parts])
    if len(body) > _LARGEST:
        raise StoreError(f"the statistics of one sample take {len(body)} bytes; at most {_LARGEST} can be kept.")
    return _MAGIC + _LENGTH.pack(len(body)) + zlib.compress(body, 1)


def unpack(data: bytes) -> list[dict[str, NDArray[Any]]]:
    """The statistics of a sample's scored frames. The arrays are read-only.

    Raises:
        StoreError: the bytes are not what `pack` wrote.
    """
    body = _inflated(data)
    try:
        (length,) = _LENGTH.unpack_from(body)
        header = json.loads(body[8 : 8 + length])
        position = 8 + length
        frames = []
        for described in header:
            frame = {}
            for name, dtype, shape in described:
                frame[_text(name)], position = _array(body, position, dtype, shape)
            frames.append(frame)
    except (ValueError, TypeError, OverflowError, RecursionError, struct.error) as error:
        raise _damaged(str(error)) from error
    if position != len(body):
        raise _damaged(f"{len(body) - position} bytes too many")
    return frames


def _plain(name: str, value: Any) -> NDArray[Any]:
    """The array in C order and little-endian."""
    import numpy as np

    array = np.ascontiguousarray(value).reshape(np.shape(value))
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype.str not in _DTYPES:
        raise StoreError(
            f"statistic {name!r} has dtype {array.dtype}: a task's statistics are arrays of bool, int, uint or "
            "float of at most 64 bits."
        )
    return array


def _inflated(data: bytes) -> bytes:
    """The unpacked body, never more than it claims to be."""
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
    """One array of the body, and where the next begins."""
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
