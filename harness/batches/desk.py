"""What a process does right now, where others can see it: which step of which sample in which cell, and since when.

A worker writes that into a few bytes of memory that it shares with the main process. If it dies, or if a step takes
longer than is allowed, the main process knows which plugin was at work on which sample. That step is then on the list
of faults, and `enter` refuses to do it again: the sample fails with the reason, as if the plugin had raised an error.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from harness.errors import HarnessError

__all__ = ["ANY", "DESK", "FORM", "Desk", "Doing", "Faults", "Place", "Step", "WorkerFaultError", "enter", "look"]

FORM = struct.Struct("=dqqq")
"""Since when (seconds of the system's clock for intervals), the step, the cell, the sample. The time comes first: a
half-written entry then looks younger than it is, and its step is not ended too early."""

ANY = -2
"""In a fault: whichever cell, or whichever sample."""


class Step(IntEnum):
    """What can be done with a sample. `NOTHING`: the process waits; in a fault, any step."""

    NOTHING = 0
    OUTLINE = 1
    READ = 2
    ENCODE = 3
    DECODE = 4
    PREPARE = 5
    COLLATE = 6
    SCORE = 7
    PREDICT = 8


Place: TypeAlias = "tuple[int, int, int]"
"""A step, a cell as its position in the unit's cells (`REFERENCE` for uncompressed frames), a sample's index."""
Faults: TypeAlias = "Mapping[Place, str]"
"""Places that nobody is to enter again -> what happened there."""


class WorkerFaultError(HarnessError):
    """A step that ended a worker before, or took longer than is allowed. It is not tried again in this pass."""


@dataclass(frozen=True)
class Doing:
    """What a process does.

    Args:
        step: the step; `NOTHING` while it waits.
        cell: the cell, as its position in the unit's cells; `REFERENCE` for what belongs to no cell.
        index: the sample's index; of a batch the first one's. Of `PREDICT` it is the number of the planned batch.
        since: when it began, in seconds of `time.monotonic`, which all processes of a machine share.
    """

    step: Step
    cell: int
    index: int
    since: float

    @property
    def place(self) -> Place:
        """Where it is, without the time."""
        return (self.step, self.cell, self.index)


class Desk:
    """The memory into which a process writes what it does.

    Attributes:
        faults: the places that are not to be entered.
        shared: the file descriptor of the memory, to be sent to the main process; None where memory cannot be shared
            in this way, and before `share`.
    """

    def __init__(self) -> None:
        self.faults: dict[Place, str] = {}
        self.shared: int | None = None
        self._memory: mmap.mmap | bytearray = bytearray(FORM.size)

    def share(self) -> int | None:
        """Take memory that other processes can see; return its file descriptor, None where there is none."""
        if sys.platform == "win32":
            return None
        if hasattr(os, "memfd_create"):
            self.shared = os.memfd_create("harness desk", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                self.shared = os.dup(file.fileno())
        os.ftruncate(self.shared, FORM.size)
        self._memory = mmap.mmap(self.shared, FORM.size)
        return self.shared

    def enter(self, step: Step, cell: int, index: int) -> None:
        """Note that a step begins.

        Raises:
            WorkerFaultError: it is on the list of faults.
        """
        if self.faults:
            for place in ((step, cell, index), (step, cell, ANY), (0, cell, index)):
                if place in self.faults:
                    raise WorkerFaultError(self.faults[place])
        FORM.pack_into(self._memory, 0, time.monotonic(), step, cell, index)

    def rest(self) -> None:
        """Note that this process waits."""
        FORM.pack_into(self._memory, 0, 0.0, 0, 0, 0)

    def doing(self) -> Doing:
        """Return what this process does right now, as another of its threads sees it."""
        return look(self._memory)

    def write_to(self, memory: mmap.mmap | bytearray) -> None:
        """Write into this memory from now on."""
        self._memory = memory


def look(memory: mmap.mmap | bytes | bytearray) -> Doing:
    """Read what a process does, or what it did when it died."""
    since, step, cell, index = FORM.unpack_from(memory, 0)
    return Doing(Step(step), cell, index, since)


DESK = Desk()
"""The desk of this process."""


def enter(step: Step, cell: int, index: int) -> None:
    """Note that this process begins a step (`Desk.enter`)."""
    DESK.enter(step, cell, index)
