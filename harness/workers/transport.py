"""Turns messages between processes into a small text of pickle and large buffers, which need not be copied to be read.

A batch of frames is large. `flattened` leaves the memory of its tensors and arrays out of the pickled text, so that it
can lie in shared memory; `restored` builds tensors and arrays on top of that memory. A tensor keeps its dtype, shape
and strides, and in shared memory its alignment, so that a network computes the same bits from it.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, plain_text

if TYPE_CHECKING:
    import torch

__all__ = ["ALIGNMENT", "flattened", "offsets", "portable", "restored"]

ALIGNMENT = 64
"""Buffers begin at multiples of this number of bytes, as torch's own memory does."""
_SPARE = 2
"""The memory of a tensor is sent whole if it is at most this many times as large; else the tensor is copied first."""


def flattened(message: Any) -> tuple[bytes, list[memoryview]]:
    """Return a message as pickled text, and the buffers that the text leaves out, each of them as flat bytes."""
    buffers: list[pickle.PickleBuffer] = []
    text = io.BytesIO()
    _Pickler(text, buffers.append).dump(message)
    return text.getvalue(), [buffer.raw() for buffer in buffers]


def restored(text: bytes, buffers: Sequence[memoryview | bytes | bytearray]) -> Any:
    """Return the message of `flattened`. Its tensors and arrays lie in the buffers, without a copy."""
    return pickle.loads(text, buffers=buffers)  # noqa: S301 - the text comes from a process of this run


def portable(error: BaseException) -> Exception:
    """Return an error that can be sent to another process: itself, or one of the harness that says the same.

    A `SystemExit` is an error of the plugin that raised it, and becomes one of the harness.
    """
    if not isinstance(error, Exception):
        return HarnessError(f"{type(error).__name__}: {plain_text(error)}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made here
    except Exception:  # noqa: BLE001 - an error of a plugin may fail in any way to be pickled or to be made again
        return HarnessError(f"{type(error).__name__}: {plain_text(error)}")
    return error


def offsets(sizes: Sequence[int], start: int = 0) -> list[int]:
    """Return where buffers of these sizes begin, one after the other and aligned, and where the last one ends.

    >>> offsets([10, 100], start=3)
    [64, 128, 228]
    """
    places, position = [], start
    for size in sizes:
        position = -(-position // ALIGNMENT) * ALIGNMENT
        places.append(position)
        position += size
    return [*places, position]


class _Pickler(pickle.Pickler):
    """Pickles tensors of the CPU through NumPy, whose arrays can leave their memory out of the text."""

    def __init__(self, file: io.BytesIO, buffer_callback: Callable[[pickle.PickleBuffer], Any]) -> None:
        import torch

        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        # Unlike `reducer_override`, it is not called for everything else in the message.
        self.dispatch_table = {**copyreg.dispatch_table, torch.Tensor: _reduced}


def _reduced(value: torch.Tensor) -> Any:
    """Return how to make a tensor (no subclass) again."""
    import torch

    if value.device.type != "cpu" or value.layout != torch.strided:
        return value.__reduce_ex__(5)  # type: ignore[no-untyped-call]
    value = value.detach()
    if value.untyped_storage().nbytes() > _SPARE * value.nbytes:
        value = value.clone()
    return _tensor, (_memory(value), value.dtype, value.storage_offset(), tuple(value.shape), value.stride())


def _memory(tensor: torch.Tensor) -> Any:
    """Return all bytes of the memory that a tensor is a part of: uint8[n]."""
    import torch

    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,)).numpy()


def _tensor(memory: Any, dtype: torch.dtype, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """Return the tensor that lies in some memory."""
    import torch

    if not memory.size:
        return torch.empty(shape, dtype=dtype)
    return torch.empty(0, dtype=dtype).set_(torch.from_numpy(memory).untyped_storage(), offset, shape, stride)
