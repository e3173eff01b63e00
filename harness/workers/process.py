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
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.batches.desk import DESK
from harness.batches.preparing import REFERENCE, PreparedBatch, prepared_batches, reason
from harness.batches.scoring import Predicted, Scorer
from harness.batches.start import start_worker
from harness.workers.answers import Answers
from harness.workers.messages import Assigned, Began, Broken, Classes, Done, Input, Output, Rows, Scored, Started
from harness.workers.ready import Ready
from harness.workers.slots import Slot, send_descriptor
from harness.workers.transport import portable

if TYPE_CHECKING:
    from harness.unit import Todo, Unit

__all__ = ["HELD_ROWS", "SLOTS", "work"]

SLOTS = 4
"""The number of batches of a worker that may be under way. Until one of them comes back, the worker waits."""
HELD_ROWS = 16
HELD_SECONDS = 0.5
"""A worker sends the rows of at most so many batches at once, after at most so many seconds, to send fewer messages."""
_PATIENCE = 5.0
"""After this many seconds without a message a worker looks whether the main process is still there."""


def work(unit: Unit, connection: Connection) -> None:
    """Run a worker process until everything that is assigned to it is done.

    Args:
        unit: the unit of work.
        connection: the worker's end of its pipe.
    """
    start_worker(0)
    try:
        desk = DESK.share()
        connection.send(Started(desk is not None))
        if desk is not None:
            send_descriptor(connection, desk)
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
        self._ready = Ready({connection: True})
        self._parent = os.getppid()
        self._slots = [Slot() for _ in range(SLOTS)]
        self._free = deque(range(SLOTS))
        self._answers = Answers(self._slots, self._free)
        self._under_way: dict[int, PreparedBatch] = {}
        self._scorer: Scorer | None = None
        self._unscored: deque[PreparedBatch] = deque()
        self._assigned: deque[Assigned] = deque()
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
            if self._answers.are_many():
                self._score_answers()
            self._score_unscored()
        self._score_answers()
        self._score_unscored()
        while self._under_way or self._unscored:
            self._listen(block=True)
            self._score_answers()
            self._score_unscored()
        self._send_rows()
        self._connection.send(Done())

    def _todo(self) -> Iterator[Todo]:
        """Yield the assigned entries of `todo`."""
        while True:
            while not self._assigned:
                self._score_answers()
                self._score_unscored()
                self._send_rows()
                self._listen(block=True)
            assigned = self._assigned.popleft()
            finished, self._preparing = self._preparing, None
            if finished is not None:
                self._forget(finished)
            if assigned.position is None:
                return
            self._connection.send(Began())
            DESK.faults.update(assigned.faults)
            entry = replace(self._unit.todo[assigned.position], cells=assigned.cells)
            self._preparing = entry.batch.number
            yield entry

    def _waits(self, coded: PreparedBatch) -> bool:
        """Return whether a batch may not have to be predicted, because it is the reference's own."""
        return self._unit.reference and coded.cell != REFERENCE and self._unit.cells[coded.cell].exact

    def _post(self, coded: PreparedBatch) -> None:
        """Send a batch to the device; wait for a free slot, and score meanwhile."""
        while not self._free:
            self._listen(block=True)
            if self._answers.are_many():
                self._score_answers()
        number = self._free.popleft()
        parcel, descriptor = self._slots[number].put(coded.inputs)
        coded.inputs = None
        self._under_way[number] = coded
        self._connection.send(Input(number, parcel, coded.cell, len(coded.rows), coded.batch))
        if descriptor is not None:
            send_descriptor(self._connection, descriptor)

    def _listen(self, block: bool) -> None:
        """Read the messages of the main process; with `block`, wait until there is one.

        Raises:
            EOFError: the main process has gone, or has hung up.
        """
        if block and not self._ready.wait(0):
            DESK.rest()
        while block and not self._ready.wait(self._patience()):
            if self._answers:
                self._score_answers()
            elif self._rows:
                self._send_rows()
            elif os.getppid() != self._parent:
                raise EOFError
        while self._ready.wait(0):
            self._obey(self._connection.recv())

    def _patience(self) -> float:
        """Return for how many seconds to wait for a message: not longer than anything may be held."""
        if self._rows or self._answers:
            return max(0.0, self._sent + HELD_SECONDS - time.monotonic())
        return _PATIENCE

    def _obey(self, message: Any) -> None:
        if isinstance(message, Assigned):
            self._assigned.append(message)
        elif isinstance(message, Classes):
            self._scorer = Scorer(self._unit, message.names)
            # What has no reference says why, before anything that is compared with it.
            for coded in [coded for coded in self._unscored if coded.cell == REFERENCE]:
                self._unscored.remove(coded)
                self._close(coded, Predicted([]))
        elif isinstance(message, Output):
            self._answers.add(message.slot, message.parcel, self._under_way.pop(message.slot))

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

    def _score_answers(self) -> None:
        """Score the batches whose predictions have come."""
        for coded, predicted in self._answers.take():
            self._close(coded, predicted)
            del predicted  # it may lie in the slot, which is free then

    def _score_unscored(self) -> None:
        """Score the batches that need no device, once their references are there."""
        for _ in range(len(self._unscored) if self._scorer else 0):
            coded = self._unscored.popleft()
            assert self._scorer is not None
            under_way = any(o.cell == REFERENCE and o.batch == coded.batch for o in self._under_way.values())
            if under_way or self._answers.has(REFERENCE, coded.batch):
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
