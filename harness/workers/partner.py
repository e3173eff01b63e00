"""A worker process as the main process sees it, and what the main process hears of it."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.batches.desk import Doing, Step, look
from harness.batches.preparing import REFERENCE
from harness.workers.process import SLOTS
from harness.workers.slots import Mapped

if TYPE_CHECKING:
    from harness.workers.children import OwnChild
    from harness.workers.ledger import Hand
    from harness.workers.nursery import Child

__all__ = ["Arrived", "Lost", "Partner"]


@dataclass(frozen=True)
class Arrived:
    """A batch that is ready for the device.

    Args:
        worker: the number of the worker that prepared it.
        slot: the number of the worker's slot in which it lies.
        cell: the cell, as its position in the unit's cells, or `REFERENCE`.
        samples: the number of samples.
        inputs: the network's input, in shared or in pinned memory.
        hand_over: the seconds that it took to receive it.
        batch: the number of the planned batch.
    """

    worker: int
    slot: int
    cell: int
    samples: int
    inputs: Any
    hand_over: float
    batch: int


@dataclass(frozen=True)
class Lost:
    """A worker has died, and another one has taken its place.

    Args:
        batches: the number of batches that went to the device, and of which the worker has sent no rows.
        note: what happened, for the user.
    """

    batches: int
    note: str


@dataclass
class Partner:
    """One worker, as the main process sees it.

    Args:
        number: its number; no two workers of a pool have the same.
        on_device: the number of its batches that are on the device, or of which it has not sent the rows yet.
        overdue: what it did when it was killed because that took too long.
    """

    number: int
    process: Child | OwnChild
    connection: Connection
    hand: Hand
    slots: list[Mapped] = field(default_factory=lambda: [Mapped() for _ in range(SLOTS)])
    desk: mmap.mmap | None = None
    begun: float = field(default_factory=time.monotonic)
    on_device: int = 0
    overdue: Doing | None = None

    def doing(self) -> Doing:
        """Return what the worker does: until it has said so itself, it starts."""
        return Doing(Step.NOTHING, REFERENCE, 0, self.begun) if self.desk is None else look(self.desk)
