"""The worker processes of a unit, as the main process sees them: it assigns batches, and gets inputs and rows."""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING

from harness.batches.desk import Step
from harness.batches.device_codecs import in_workers
from harness.batches.preparing import REFERENCE, reason
from harness.batches.scoring import Predicted
from harness.errors import PluginError
from harness.keep.processes import has_ended, how_ended
from harness.media.opencv import end_threads
from harness.training.transfer import pin
from harness.workers.children import hang_up
from harness.workers.clock import Clock
from harness.workers.ledger import Hand, Ledger
from harness.workers.messages import Assigned, Began, Broken, Classes, Done, Input, Output, Rows, Started
from harness.workers.nursery import make_nursery, nursery, start_process
from harness.workers.partner import Arrived, Lost, Partner
from harness.workers.process import SLOTS, work
from harness.workers.ready import Ready

if TYPE_CHECKING:
    from harness.unit import Settings, Unit

__all__ = ["Pool"]

AHEAD = 2
"""The number of entries of `todo` that are assigned to a worker at a time: one that it does, and the next one."""
_FILES, _FILES_OF_WORKER = 512, 2 * (2 + SLOTS)
"""Open files of a run, and of each worker: its pipe, its desk and its slots, also of the next pass."""
_LAST_WORDS = 2.0
"""How many seconds a worker of an interrupted run has to end, before it is killed."""


class Pool:
    """Worker processes that prepare and score the batches of a unit, without the cells whose codecs want the device.

    One thread reads what they send, another one sends. The first never waits for anybody, so no worker waits for it.
    A worker that dies is replaced (`harness.workers.ledger`).

    Args:
        unit: the unit of work.
        settings: the number of workers, the device, and how long a sample may take.

    Attributes:
        inputs: the batches that are ready for the device, in the order of their arrival; None after the last one.
        results: what the workers have finished (`Rows`), and which of them were `Lost`; an exception that ends the run;
            None after the last one.
    """

    def __init__(self, unit: Unit, settings: Settings) -> None:
        self.inputs: queue.SimpleQueue[Arrived | None] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[Rows | Lost | BaseException | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._unit = unit = in_workers(unit)
        self._pinned = settings.device.startswith("cuda")
        self._device = settings.device
        self._limit = settings.sample_timeout
        self._ledger = Ledger(unit)
        self._lock = threading.Lock()
        self._closing = False
        self._classes: tuple[str, ...] | None = None
        workers = min(settings.workers, len(unit.todo))
        end_threads()
        _allow_files(_FILES + _FILES_OF_WORKER * workers)
        # A worker that dies is replaced while there are threads, so it must not be forked from this process.
        self._own = make_nursery(_parts(unit)) if nursery() is None else None
        self._partners: dict[int, Partner] = {}
        self._ready: Ready[Partner] = Ready({})
        for number in range(workers):
            self._partners[number] = self._start(number, Hand())
        self._threads = [
            threading.Thread(target=self._listen, name="from workers", daemon=True),
            threading.Thread(target=self._write, name="to workers", daemon=True),
        ]
        for _ in range(AHEAD):
            for partner in self._partners.values():
                self._assign(partner)
        for thread in self._threads:
            thread.start()

    def loaded(self, classes: tuple[str, ...]) -> None:
        """Tell the workers the classes of the loaded network, without which they cannot score."""
        with self._lock:
            self._classes = classes
            for partner in self._partners.values():
                self._send(partner, lambda: Classes(classes))

    def answer(self, arrived: Arrived, predicted: Predicted) -> None:
        """Send the predictions of a batch to the worker that prepared it, if it is still there.

        Predictions that cannot be sent to another process count as a failure of the model.
        """
        partner = self._partners.get(arrived.worker)
        if partner is None:
            return

        def message() -> Output:
            slot = partner.slots[arrived.slot]
            try:
                return Output(arrived.slot, slot.put(predicted))
            except Exception as error:  # noqa: BLE001 - predictions of a plugin that cannot be pickled fail their batch
                model = self._unit.subject.model.name
                where = f"model {model}: its predictions cannot be sent to the worker that scores them"
                return Output(arrived.slot, slot.put(Predicted(None, reason(where, error), predicted.seconds)))

        self._send(partner, message)

    def close(self) -> None:
        """End the workers and the threads. Workers that are not done lose what they were doing."""
        with self._lock:
            self._closing = True  # from now on nobody is replaced
        partners = list(self._partners.values())
        for partner in partners:
            hang_up(partner.connection, say_only=True)
        listener, writer = self._threads
        listener.join(_LAST_WORDS)
        for partner in partners:
            partner.process.kill()  # of those that are done nothing is awaited
            hang_up(partner.connection)  # a process that a plugin has started may hold the other end
        listener.join()
        self._outbox.put(None)
        writer.join()
        for partner in partners:
            partner.process.ended()
            partner.connection.close()
        if self._own is not None:
            self._own.close()

    def _start(self, number: int, hand: Hand) -> Partner:
        """Start a worker process."""
        others = [partner.connection for partner in self._partners.values()]
        mine, process = start_process(work, self._unit, others, self._own)
        partner = Partner(number, process, mine, hand)
        self._ready.add(mine, partner)
        return partner

    def _send(self, partner: Partner, message: Callable[[], object]) -> None:
        """Let the sending thread make a message and send it."""
        self._outbox.put(lambda: partner.connection.send(message()))

    def _assign(self, partner: Partner) -> None:
        share = self._ledger.give(partner.hand)
        told = Assigned(None)
        if share is not None:
            told = Assigned(share.position, share.cells, tuple(self._ledger.faults(share).items()))
        self._send(partner, lambda: told)

    def _write(self) -> None:
        """Send what is in the outbox. A worker that has died is noticed by the other thread."""
        try:
            while (send := self._outbox.get()) is not None:
                with contextlib.suppress(OSError):
                    send()
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.results.put(error)

    def _listen(self) -> None:
        """Read what the workers send, until all are done."""
        clock = Clock(self._limit)
        try:
            if self._pinned:
                import torch

                torch.cuda.set_device(self._device)  # memory is pinned for this device, not for the first one
            while self._ready:
                for partner in self._ready.wait(clock.tick):
                    self._heard(partner)
                if clock.due():
                    self._look_after(clock, self._ready.owners())
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.results.put(error)
        else:
            self.results.put(None)
        finally:
            self.inputs.put(None)

    def _heard(self, partner: Partner) -> None:
        """Act on a message of a worker. If it sends no more, wait for it no longer."""
        try:
            message = partner.connection.recv()
            if isinstance(message, Input):
                arrived = self._arrived(partner, message)
                partner.on_device += message.cell != REFERENCE
                self.inputs.put(arrived)
            elif isinstance(message, Started) and message.desk:
                descriptor = recv_handle(partner.connection)
                partner.desk = mmap.mmap(descriptor, 0)
                os.close(descriptor)
        except (EOFError, OSError):
            self._ready.leave(partner.connection)
            if not self._closing:
                self._replace(partner)
            return
        if isinstance(message, Began):
            if partner.hand.trying is None:
                self._assign(partner)
        elif isinstance(message, Rows):
            batches = tuple(self._ledger.came(partner.hand, scored) for scored in message.batches)
            partner.on_device -= sum(scored.on_device for scored in batches)
            self.results.put(Rows(batches))
            if partner.hand.trying is not None and not partner.hand.missing:
                for _ in range(1 if partner.hand.alone else AHEAD):
                    self._assign(partner)
        elif isinstance(message, Broken):
            raise message.error
        elif isinstance(message, Done):
            self._ready.leave(partner.connection)

    def _replace(self, partner: Partner) -> None:
        """Let another worker take the place of one that has died, if there is something to do."""
        partner.process.kill()  # it has hung up, and may still be there
        how = f"the worker {how_ended(partner.process.ended())}"
        doing = partner.doing()
        overdue = partner.overdue is not None and doing == partner.overdue
        if overdue:
            how = f"the worker was stopped after {self._limit:g} s (--sample-timeout)"
        hand, note = self._ledger.died(partner.hand, doing, how, certain=overdue)
        self.results.put(Lost(partner.on_device, note))
        with self._lock:
            if self._closing:
                return
            self._partners.pop(partner.number)
            self._outbox.put(partner.connection.close)  # the other thread may be sending
            if not hand.alone and not self._ledger.waits():
                return
            try:
                new = self._start(max([partner.number, *self._partners]) + 1, hand)
            except (EOFError, OSError) as error:
                raise PluginError(f"{note} No other worker could be started: {error}") from error
            self._partners[new.number] = new
            if self._classes is not None:
                classes = self._classes
                self._send(new, lambda: Classes(classes))
        for _ in range(1 if hand.alone else AHEAD):
            self._assign(new)

    def _look_after(self, clock: Clock, partners: Iterable[Partner]) -> None:
        """Kill the workers of which a step takes too long, and notice those that are dead but have not hung up.

        A process that a plugin has started may hold their end of the pipe.
        """
        for partner in partners:
            doing = partner.doing()
            samples = self._unit.subject.batch if doing.step == Step.COLLATE else 1
            works = doing.step != Step.NOTHING or partner.desk is None
            if partner.overdue is None and works and clock.late(doing.since, samples):
                partner.overdue = doing
                partner.process.kill()
            if has_ended(partner.process.pid):
                hang_up(partner.connection)

    def _arrived(self, partner: Partner, message: Input) -> Arrived:
        started = time.perf_counter()
        inputs = partner.slots[message.slot].take(message.parcel, partner.connection)
        if self._pinned:
            inputs = pin(inputs)
        took = time.perf_counter() - started
        return Arrived(partner.number, message.slot, message.cell, message.samples, inputs, took, message.batch)


def _parts(unit: Unit) -> list[object]:
    """Return the parts of a unit that need not be sent to its workers."""
    subject = unit.subject
    cells = [part for cell in unit.cells for part in (cell, cell.codec, cell.experiment)]
    return [subject.task, subject.model, subject.dataset, *cells]


def _allow_files(count: int) -> None:
    """Raise this process's own limit of open files to `count`, as far as the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
