"""Reads pickles of NumPy arrays (detectron2's model zoo) without executing code from the file.

A pickle can name any function, and the unpickler calls it. The unpickler in this module accepts only the functions in a
fixed list, which create arrays of numbers. Python's documentation describes this method under "Restricting Globals".
"""

from __future__ import annotations

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_arrays"]


def read_arrays(path: Path) -> Any:
    """Read a pickle of dicts, lists, strings, numbers and NumPy arrays; arrays are returned as tensors on the CPU.

    Raises:
        pickle.UnpicklingError: the pickle contains anything else, or is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        _check_memo(file)
        return _tensors(_ArrayUnpickler(file, encoding="latin1").load())


_ARRAY = object()  # replaces `numpy.ndarray`; it is only compared with, never called


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy._core"):
            module = module.replace("numpy._core", "numpy.core", 1)
        if (module, name) == ("numpy", "ndarray"):
            return _ARRAY
        function = _ADMITTED.get((module, name))
        if function is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}; only arrays of numbers are admitted.")
        # A new wrapper for each use, because a pickle can set attributes on the object that it names.
        return lambda *arguments: function(*arguments)


class _Type:
    """Replaces a NumPy dtype. NumPy's own would take flags from the file, and then treat numbers as addresses."""

    __slots__ = ("type",)

    def __init__(self, numeric: np.dtype[Any]) -> None:
        self.type = numeric

    def __setstate__(self, state: Any) -> None:
        """Set the byte order, the only part of a numeric dtype's state that says anything."""
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("it holds arrays of an unknown type; only arrays of numbers are admitted.")
        self.type = self.type.newbyteorder(order)


class _Array:
    """Replaces an array. It is filled by the state that NumPy writes: version, shape, type, order, content."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: NDArray[Any] = np.zeros(0, np.int8)

    def __setstate__(self, state: Any) -> None:
        shape, kind, by_columns, content = state[-4:]
        content = content.encode("latin1") if isinstance(content, str) else content
        self.value = _filled(content, kind, shape, "F" if by_columns else "C")


def _filled(content: Any, kind: object, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(kind, _Type):
        raise pickle.UnpicklingError("it holds an array of an unknown type; only arrays of numbers are admitted.")
    return np.frombuffer(bytes(content), kind.type).reshape(shape, order=order)


def _dtype(spec: object, *flags: object) -> _Type:
    """Replaces `numpy.dtype`; it accepts only the strings of numeric types ("f4", "<i8", "b1")."""
    if not isinstance(spec, str) or spec.lstrip("<>=|")[:1] not in tuple("biufc"):
        raise pickle.UnpicklingError(f"it holds arrays of {spec!r}; only arrays of numbers are admitted.")
    return _Type(np.dtype(spec))


def _reconstruct(subtype: object, shape: object, dtype: object) -> _Array:
    """Replaces `numpy.core.multiarray._reconstruct`: returns an empty array, which unpickling then fills."""
    if subtype is not _ARRAY or shape != (0,):
        raise pickle.UnpicklingError("it holds an array of an unknown kind.")
    return _Array()


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any, *_: object) -> _Array:
    """Replaces `numpy.core.numeric._frombuffer`, which pickle protocol 5 uses."""
    array = _Array()
    array.value = _filled(buffer, dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any) -> Any:
    """Replaces `numpy.core.multiarray.scalar`: returns one number."""
    return _filled(data, dtype, (1,), "C")[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Replaces `_codecs.encode`, which pickle protocol 2 uses for bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it holds text in {encoding!r}.")
    return text.encode("latin1")


def _no_bytes(*content: object) -> bytes:
    """Replaces `bytes`, which pickle protocol 2 uses for empty bytes objects."""
    if content:
        raise pickle.UnpicklingError("it makes bytes from something else.")
    return b""


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): OrderedDict,
}


def _check_memo(file: BinaryIO) -> None:
    """Check that the pickle's memo is not larger than the file: Python allocates it before anything is read.

    Raises:
        pickle.UnpicklingError: it is larger.
        ValueError: the pickle is damaged.
    """
    size = file.seek(0, 2)
    file.seek(0)
    for operation, argument, _ in pickletools.genops(file):
        if operation.name.endswith("PUT") and argument is not None and int(argument) > size:
            raise pickle.UnpicklingError("its memo is larger than the file; the file is damaged.")
    file.seek(0)


def _tensors(content: Any) -> Any:
    """Return the content with its arrays replaced by tensors in the machine's byte order."""
    import torch

    if isinstance(content, dict):
        return {key: _tensors(value) for key, value in content.items()}
    if isinstance(content, _Array):
        array = content.value
        if array.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"it holds an array of {array.dtype}.")
        try:
            return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
        except TypeError as error:
            message = f"it holds an array of {array.dtype}, which torch has no type for."
            raise pickle.UnpicklingError(message) from error
    return content
