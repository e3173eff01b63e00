"""The life of a worker process: it prepares batches ahead of the device, and scores what the device predicted.

A sample is read once, and its targets never leave the worker: only the network's input goes to the main process, and
only the predictions come back. The rows that are left to write are small.
"""

from __future__ import annotations

import copy
import os
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.workers.preparing import REFERENCE, PreparedBatch, prepared_batches, reason
from harness.workers.ready import Ready
from harness.workers.scoring import Predicted, Scorer
from harness.workers.slots import Parcel, Slot, send_descriptor
from harness.workers.start import start_worker
from harness.workers.transport import portable

if TYPE_CHECKING:
    from harness.unit import RowBatch, Todo, Unit

__all__ = ["Assigned", "Began", "Broken", "Classes", "Done", "Input", "Output", "Rows", "Scored", "work"]

SLOTS = 4
"""The number of batches of a worker that may be under way. Until one of them comes back, the worker waits."""
BURST, BURST_HOLDING = 8, 2
"""A worker scores so many batches at once; fewer if their predictions still lie in slots, which are then not free.

Coding takes what scoring needs out of the CPU's caches: so to score eight batches, one after the other, takes half as
long as to score each of them between two others."""
HELD_ROWS = 16
HELD_SECONDS = 0.5
"""A worker sends the rows of at most so many batches at once, after at most so many seconds, to send fewer messages."""
_PATIENCE = 5.0
"""After this many seconds without a message a worker looks whether the main process is still there."""


# Messages of the main process


@dataclass(frozen=True)
class Classes:
    """The network is loaded; it has these classes."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Assigned:
    """The position of the next entry of the unit's `todo` that this worker has to do; None after the last one."""

    position: int | None


@dataclass(frozen=True)
class Output:
    """The predictions (`Predicted`) of the batch in a slot."""

    slot: int
    parcel: Parcel


# Messages of a worker


@dataclass(frozen=True)
class Began:
    """The worker has begun an entry of `todo`, and can be assigned another one."""


@dataclass(frozen=True)
class Input:
    """The network's input for one batch, in a slot.

    Args:
        slot: the number of the slot.
        parcel: the input.
        cell: the cell, as its position in the unit's cells, or `REFERENCE`.
        samples: the number of samples.
    """

    slot: int
    parcel: Parcel
    cell: int
    samples: int


@dataclass(frozen=True)
class Scored:
    """The rows of one batch of one cell.

    Args:
        rows: the rows.
        notes: warnings for the user.
        on_device: whether the batch was predicted for these rows.
    """

    rows: RowBatch
    notes: tuple[str, ...]
    on_device: bool


@dataclass(frozen=True)
class Rows:
    """The rows of some batches."""

    batches: tuple[Scored, ...]


@dataclass(frozen=True)
class Done:
    """The worker has done everything that was assigned to it, and ends."""


@dataclass(frozen=True)
class Broken:
    """The worker ends because of an error that belongs to no sample."""

    error: BaseException


def work(unit: Unit, connection: Connection) -> None:
    """Run a worker process until everything that is assigned to it is done.

    Args:
        unit: the unit of work.
        connection: the worker's end of its pipe.
    """
    start_worker(0)
    try:
        _Worker(unit, connection).run()
    except (ConnectionError, EOFError):
        return  # the main process has gone, or has closed the pipe because the run was interrupted
    except Exception as error:  # noqa: BLE001 - the main process raises it
        connection.send(Broken(portable(error)))


class _Worker:
    """Prepares, and scores between two batches. What must wait for predictions does not keep the next batch waiting."""

    def __init__(self, unit: Unit, connection: Connection) -> None:
        self._unit = unit
        self._connection = connection
        self._ready = Ready([connection])
        self._parent = os.getppid()
        self._slots = [Slot() for _ in range(SLOTS)]
        self._free = deque(range(SLOTS))
        self._under_way: dict[int, PreparedBatch] = {}
        self._answered: deque[tuple[Output, PreparedBatch]] = deque()
        self._scorer: Scorer | None = None
        self._unscored: deque[PreparedBatch] = deque()
        self._assigned: deque[int | None] = deque()
        self._open: Counter[int] = Counter()
        self._preparing: int | None = None
        self._rows: list[Scored] = []
        self._sent = time.monotonic()

    def run(self) -> None:
        """Do everything that is assigned, and wait until all of it is scored."""
        for coded in prepared_batches(self._unit, self._todo()):
            self._open[coded.batch] += 1
            if coded.rows and not self._waits(coded):
                self._post(coded)
            elif coded.cell == REFERENCE and self._scorer is not None:
                self._close(coded, Predicted([]))
            else:
                self._unscored.append(coded)
            self._listen(block=False)
            self._score_answered()
            self._score_unscored()
        self._score_unscored()
        while self._under_way or self._answered or self._unscored:
            if not self._answered:
                self._listen(block=True)
            self._score_answered(least=1)
            self._score_unscored()
        self._send_rows()
        self._connection.send(Done())

    def _todo(self) -> Iterator[Todo]:
        """Yield the assigned entries of `todo`."""
        while True:
            while not self._assigned:
                self._score_answered(least=1)
                self._listen(block=True)
            position = self._assigned.popleft()
            finished, self._preparing = self._preparing, None
            if finished is not None:
                self._forget(finished)
            if position is None:
                return
            self._connection.send(Began())
            entry = self._unit.todo[position]
            self._preparing = entry.batch.number
            yield entry

    def _waits(self, coded: PreparedBatch) -> bool:
        """Return whether a batch may not have to be predicted, because it is the reference's own."""
        return self._unit.reference and coded.cell != REFERENCE and self._unit.cells[coded.cell].exact

    def _post(self, coded: PreparedBatch) -> None:
        """Send a batch to the device; wait for a free slot, and score meanwhile."""
        while not self._free:
            self._listen(block=True)
            self._score_answered()
        number = self._free.popleft()
        parcel, descriptor = self._slots[number].put(coded.inputs)
        coded.inputs = None
        self._under_way[number] = coded
        self._connection.send(Input(number, parcel, coded.cell, len(coded.rows)))
        if descriptor is not None:
            send_descriptor(self._connection, descriptor)

    def _listen(self, block: bool) -> None:
        """Read the messages of the main process; with `block`, wait until there is one.

        Raises:
            EOFError: the main process has gone, or has hung up.
        """
        while block and not self._ready.wait(self._patience()):
            if self._answered:
                self._score_answered(least=1)
            elif self._rows:
                self._send_rows()
            elif os.getppid() != self._parent:
                raise EOFError
        while self._ready.wait(0):
            self._obey(self._connection.recv())

    def _obey(self, message: Any) -> None:
        if isinstance(message, Assigned):
            self._assigned.append(message.position)
        elif isinstance(message, Classes):
            self._scorer = Scorer(self._unit, message.names)
            # What has no reference says why, before anything that is compared with it.
            for coded in [coded for coded in self._unscored if coded.cell == REFERENCE]:
                self._unscored.remove(coded)
                self._close(coded, Predicted([]))
        elif isinstance(message, Output):
            self._answered.append((message, self._under_way.pop(message.slot)))
            if not message.parcel.in_slot:
                self._free.append(message.slot)

    def _patience(self) -> float:
        """Return for how many seconds to wait for a message: not longer than rows may be held."""
        held = self._rows or self._answered
        return max(0.0, self._sent + HELD_SECONDS - time.monotonic()) if held else _PATIENCE

    def _score_answered(self, least: int = BURST) -> None:
        """Score the batches that were predicted, if there are at least so many."""
        holding = sum(answer.parcel.in_slot for answer, _ in self._answered)
        if len(self._answered) < least and holding < BURST_HOLDING:
            return
        while self._answered:
            answer, coded = self._answered.popleft()
            predicted = self._slots[answer.slot].take(answer.parcel)
            self._close(coded, predicted)
            if answer.parcel.in_slot:
                del predicted
                self._free.append(answer.slot)

    def _close(self, coded: PreparedBatch, predicted: Predicted) -> None:
        """Score a batch, or keep it as a reference."""
        assert self._scorer is not None
        if coded.cell == REFERENCE:
            # They are used until the whole batch is scored, and their memory is the slot's, which is used again.
            try:
                own = replace(predicted, predictions=copy.deepcopy(predicted.predictions))
            except Exception as error:  # noqa: BLE001 - predictions of a plugin that cannot be copied fail their batch
                own = Predicted(None, reason("a prediction cannot be copied", error), predicted.seconds)
            self._scorer.keep(coded, own)
        else:
            on_device = predicted.seconds is not None
            self._rows.append(Scored(self._scorer.rows(coded, predicted), tuple(coded.notes), on_device))
            if len(self._rows) >= HELD_ROWS or time.monotonic() - self._sent > HELD_SECONDS:
                self._send_rows()
        self._open[coded.batch] -= 1
        self._forget(coded.batch)

    def _send_rows(self) -> None:
        """Send the rows that are held."""
        if self._rows:
            self._connection.send(Rows(tuple(self._rows)))
            self._rows.clear()
        self._sent = time.monotonic()

    def _score_unscored(self) -> None:
        """Score the batches that need no device, once their references are there."""
        for _ in range(len(self._unscored) if self._scorer else 0):
            coded = self._unscored.popleft()
            assert self._scorer is not None
            asked = [*self._under_way.values(), *(answered for _, answered in self._answered)]
            if any(other.cell == REFERENCE and other.batch == coded.batch for other in asked):
                self._unscored.append(coded)
            elif (predicted := self._scorer.known(coded)) is not None:
                self._close(coded, predicted)
            else:
                self._post(coded)

    def _forget(self, batch: int) -> None:
        """Forget the references of a batch of which nothing is left to score."""
        if not self._open[batch] and batch != self._preparing:
            del self._open[batch]
            if self._scorer is not None:
                self._scorer.references.forget(batch)
