"""Batches that were predicted, until their worker scores them: several at once.

Coding takes all that scoring needs out of the CPU's caches. To score eight batches of one image, one after the other,
takes about half as long as to score each of them between two others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.batches.preparing import PreparedBatch
    from harness.batches.scoring import Predicted
    from harness.workers.slots import Parcel, Slot

__all__ = ["BURST", "BURST_IN_SLOTS", "Answers"]

BURST, BURST_IN_SLOTS = 8, 2
"""So many batches are scored at once; fewer if their predictions lie in slots, which are not free until then."""


class Answers:
    """The predictions of a worker's batches that are not scored yet, in the order of their arrival.

    Args:
        slots: the worker's slots.
        free: receives the number of each slot that can take another batch.
    """

    def __init__(self, slots: Sequence[Slot], free: deque[int]) -> None:
        self._slots, self._free = slots, free
        self._waiting: deque[tuple[int, Parcel, PreparedBatch]] = deque()

    def __bool__(self) -> bool:
        """Whether a batch waits."""
        return bool(self._waiting)

    def add(self, slot: int, parcel: Parcel, coded: PreparedBatch) -> None:
        """Add the predictions of the batch in a slot, which is free if they do not lie in it."""
        self._waiting.append((slot, parcel, coded))
        if not parcel.in_slot:
            self._free.append(slot)

    def are_many(self) -> bool:
        """Whether there are enough to be scored."""
        in_slots = sum(parcel.in_slot for _, parcel, _ in self._waiting)
        return len(self._waiting) >= BURST or in_slots >= BURST_IN_SLOTS

    def has(self, cell: int, batch: int) -> bool:
        """Whether a batch of a cell waits."""
        return any(coded.cell == cell and coded.batch == batch for _, _, coded in self._waiting)

    def take(self) -> Iterator[tuple[PreparedBatch, Predicted]]:
        """Yield all batches, with what was predicted. That must not be used once the next one was asked for."""
        while self._waiting:
            slot, parcel, coded = self._waiting.popleft()
            yield coded, self._slots[slot].take(parcel)
            if parcel.in_slot:
                self._free.append(slot)
