"""Memory that a worker and the main process share: a few slots, each of which holds one batch on its way.

The worker owns its slots. It puts a batch into a free one, and sends only the slot's number and a small text through
the pipe. The main process reads the batch where it lies, puts the predictions behind it, and so gives the slot back. A
slot that is too small is made anew; the file descriptor of the new one goes through the pipe once, not with every
batch. Pages of a slot that nobody has written to take no memory.

Where the system has no anonymous files in memory (anything but Linux), the bytes go through the pipe.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from harness.workers.transport import flattened, offsets, restored

__all__ = ["Mapped", "Parcel", "Slot", "send_descriptor"]

_ROOM = 1 << 20
"""Bytes that a slot has for predictions, beside three times the size of its batch."""
_SMALL = 1 << 15
"""Predictions of at most so many bytes go through the pipe."""


@dataclass(frozen=True)
class Parcel:
    """What goes through the pipe in place of a message.

    Args:
        text: the pickled text, without its buffers.
        sizes: the size of each buffer in bytes.
        places: where each buffer begins in the slot, and where the last one ends; None if the buffers are in `inline`.
        inline: the buffers, if they do not lie in the slot.
        new_size: the size in bytes of a new slot, whose file descriptor follows in the pipe; 0 for the slot as it was.
    """

    text: bytes
    sizes: tuple[int, ...]
    places: tuple[int, ...] | None
    inline: tuple[bytes, ...] = ()
    new_size: int = 0

    @property
    def in_slot(self) -> bool:
        """Whether the message lies in the slot, which is not free before it was used."""
        return self.places is not None


@dataclass
class Slot:
    """One slot, as the worker sees it.

    Args:
        memory: the shared memory; None before its first use, and where there is none.
    """

    memory: mmap.mmap | None = None

    def put(self, message: Any) -> tuple[Parcel, int | None]:
        """Put a message into the slot.

        Returns:
            What goes through the pipe, and the file descriptor of a new slot, which the caller sends and closes; None
            for the slot as it was.
        """
        text, buffers = flattened(message)
        sizes = tuple(buffer.nbytes for buffer in buffers)
        if not hasattr(os, "memfd_create"):
            return Parcel(text, sizes, None, tuple(bytes(buffer) for buffer in buffers)), None
        *places, end = offsets(sizes)
        descriptor = None
        if self.memory is None or len(self.memory) < end:
            size = 4 * end + _ROOM
            descriptor = os.memfd_create("harness batch", os.MFD_CLOEXEC)
            os.ftruncate(descriptor, size)
            self.memory = mmap.mmap(descriptor, size)
        _write(self.memory, places, buffers)
        return Parcel(
            text, sizes, (*places, end), new_size=len(self.memory) if descriptor is not None else 0
        ), descriptor

    def take(self, parcel: Parcel) -> Any:
        """Return the message that the main process put behind the batch."""
        return _read(self.memory, parcel)


@dataclass
class Mapped:
    """One slot, as the main process sees it.

    Args:
        memory: the shared memory; None before its first use.
    """

    memory: mmap.mmap | None = field(default=None, repr=False)
    _end: int = 0

    def take(self, parcel: Parcel, connection: Connection) -> Any:
        """Return the message in the slot; its tensors lie in shared memory."""
        if parcel.new_size:
            descriptor = recv_handle(connection)
            try:
                self.memory = mmap.mmap(descriptor, parcel.new_size)
            finally:
                os.close(descriptor)
        self._end = parcel.places[-1] if parcel.places else 0
        return _read(self.memory, parcel)

    def put(self, message: Any) -> Parcel:
        """Put a message behind the batch, which it may share memory with.

        A small one goes inline, so that the slot is free at once; so does one that has not enough room.
        """
        text, buffers = flattened(message)
        sizes = tuple(buffer.nbytes for buffer in buffers)
        *places, end = offsets(sizes, self._end)
        if self.memory is None or end > len(self.memory) or sum(sizes) <= _SMALL:
            return Parcel(text, sizes, None, tuple(bytes(buffer) for buffer in buffers))
        _write(self.memory, places, buffers)
        return Parcel(text, sizes, (*places, end))


def send_descriptor(connection: Connection, descriptor: int) -> None:
    """Send the file descriptor of a new slot through the pipe, and close it here."""
    send_handle(connection, descriptor, os.getppid())
    os.close(descriptor)


def _write(memory: mmap.mmap, places: Sequence[int], buffers: Sequence[memoryview]) -> None:
    for place, buffer in zip(places, buffers, strict=True):
        memory[place : place + buffer.nbytes] = buffer


def _read(memory: mmap.mmap | None, parcel: Parcel) -> Any:
    if parcel.places is None:
        return restored(parcel.text, [bytearray(data) for data in parcel.inline])
    assert memory is not None or not parcel.sizes
    whole = memoryview(memory) if memory is not None else memoryview(b"")
    return restored(
        parcel.text, [whole[place : place + size] for place, size in zip(parcel.places, parcel.sizes, strict=False)]
    )
