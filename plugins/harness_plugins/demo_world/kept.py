"""A cache of rendered arrays: lossless files in the cache folder, which are rendered anew where they are damaged.

A file is sealed (`harness.files.sealed`). Its content is the length of the header (uint64, little-endian), the header
(JSON: of each array its name, dtype, shape and order), and the arrays. The arrays begin at multiples of 64 bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.files import cache_dir, note_damage, read_sealed, write_sealed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

_LENGTH = struct.Struct("<Q")
_STEP = 64


def kept(path: Path, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """Return the named arrays from the file `path` (relative to the cache folder); if that fails, call `make` and store
    them.

    The arrays are made again if the file is damaged or lacks one of them. If the file cannot be written, the arrays are
    returned without being stored.
    """
    file = cache_dir() / "demo-world" / path
    try:
        content = read_sealed(file)
        if content is None:
            note_damage(file, "rendered frames", cache_dir() / "demo-world")
    except OSError:
        content = None
    if content is not None and (found := _unpacked(content)).keys() >= set(names):
        return {name: found[name] for name in names}
    made = make()
    arrays = {name: made[name] for name in names}
    with suppress(OSError):
        write_sealed(file, *_packed(arrays))
    return arrays


def _packed(arrays: Arrays) -> list[bytes]:
    """Return the content of a file, in parts."""
    layout, parts = [], []
    for name, array in arrays.items():
        order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        layout.append([name, array.dtype.str, list(array.shape), order])
        parts.append(_padded(array.tobytes(order)))
    header = json.dumps(layout).encode()
    # The seal before the content has 32 bytes: with them, the first array begins at a multiple of 64.
    header += b" " * (-(32 + _LENGTH.size + len(header)) % _STEP)
    return [_LENGTH.pack(len(header)), header, *parts]


def _unpacked(content: memoryview) -> Arrays:
    """Return the arrays of a file. They share its memory."""
    import numpy as np

    (length,) = _LENGTH.unpack_from(content)
    position = _LENGTH.size + length
    arrays: Arrays = {}
    for name, dtype, shape, order in json.loads(bytes(content[_LENGTH.size : position])):
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(content, dtype, count, position)
        arrays[name] = array.reshape(shape, order=order)
        position += -(-array.nbytes // _STEP) * _STEP
    return arrays


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _STEP)


__all__ = ["kept"]
