"""The worker processes of a unit, as the main process sees them: it assigns batches, and gets inputs and rows."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError
from harness.media.opencv import end_threads
from harness.training.transfer import pin
from harness.workers.nursery import Child, OwnChild, hang_up, how_ended, start_process
from harness.workers.preparing import reason
from harness.workers.process import SLOTS, Assigned, Began, Broken, Classes, Done, Input, Output, Rows, work
from harness.workers.ready import Ready
from harness.workers.scoring import Predicted
from harness.workers.slots import Mapped

if TYPE_CHECKING:
    from harness.unit import Settings, Unit

__all__ = ["Arrived", "Pool"]

AHEAD = 2
"""The number of entries of `todo` that are assigned to a worker at a time: one that it does, and the next one."""
_FILES, _FILES_OF_WORKER = 512, 2 * (1 + SLOTS)
"""Open files of a run, and of each worker: its pipe and its slots, also of the next pass."""
_LAST_WORDS = 2.0
"""How many seconds a worker of an interrupted run has to end, before it is killed."""


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
    """

    worker: int
    slot: int
    cell: int
    samples: int
    inputs: Any
    hand_over: float


@dataclass
class _Partner:
    """One worker, as the main process sees it."""

    number: int
    process: Child | OwnChild
    connection: Connection
    slots: list[Mapped] = field(default_factory=lambda: [Mapped() for _ in range(SLOTS)])


class Pool:
    """Worker processes that prepare and score the batches of a unit.

    One thread reads what they send, another one sends. The first never waits for anybody, so no worker waits for it.

    Args:
        unit: the unit of work.
        settings: the number of workers, and the device.

    Attributes:
        inputs: the batches that are ready for the device, in the order of their arrival; None after the last one.
        results: what the workers have finished (`Rows`); an exception that ends the run; None after the last one.
    """

    def __init__(self, unit: Unit, settings: Settings) -> None:
        self.inputs: queue.SimpleQueue[Arrived | None] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[Rows | BaseException | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._model = unit.subject.model.name
        self._pinned = settings.device.startswith("cuda")
        self._next = iter(range(len(unit.todo)))
        self._closing = False
        self._device = settings.device
        self._partners = _start(unit, min(settings.workers, len(unit.todo)))
        self._threads = [
            threading.Thread(target=self._listen, name="from workers", daemon=True),
            threading.Thread(target=self._write, name="to workers", daemon=True),
        ]
        for _ in range(AHEAD):
            for partner in self._partners:
                self._assign(partner)
        for thread in self._threads:
            thread.start()

    def loaded(self, classes: tuple[str, ...]) -> None:
        """Tell the workers the classes of the loaded network, without which they cannot score."""
        for partner in self._partners:
            self._send(partner, lambda: Classes(classes))

    def answer(self, arrived: Arrived, predicted: Predicted) -> None:
        """Send the predictions of a batch to the worker that prepared it.

        Predictions that cannot be sent to another process count as a failure of the model.
        """
        partner = self._partners[arrived.worker]

        def message() -> Output:
            slot = partner.slots[arrived.slot]
            try:
                return Output(arrived.slot, slot.put(predicted))
            except Exception as error:  # noqa: BLE001 - predictions of a plugin that cannot be pickled fail their batch
                where = f"model {self._model}: its predictions cannot be sent to the worker that scores them"
                return Output(arrived.slot, slot.put(Predicted(None, reason(where, error), predicted.seconds)))

        self._send(partner, message)

    def close(self) -> None:
        """End the workers and the threads. Workers that are not done lose what they were doing."""
        self._closing = True
        for partner in self._partners:
            hang_up(partner.connection, say_only=True)
        listener, writer = self._threads
        listener.join(_LAST_WORDS)
        for partner in self._partners:
            partner.process.kill()  # of those that are done nothing is awaited
        listener.join()
        self._outbox.put(None)
        writer.join()
        for partner in self._partners:
            partner.process.ended()
            partner.connection.close()

    def _send(self, partner: _Partner, message: Callable[[], object]) -> None:
        """Let the sending thread make a message and send it."""
        self._outbox.put(lambda: partner.connection.send(message()))

    def _assign(self, partner: _Partner) -> None:
        position = next(self._next, None)
        self._send(partner, lambda: Assigned(position))

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
        partners = {partner.connection.fileno(): partner for partner in self._partners}
        waiting = Ready([partner.connection for partner in self._partners])
        try:
            if self._pinned:
                import torch

                torch.cuda.set_device(self._device)  # memory is pinned for this device, not for the first one
            while waiting:
                for connection in waiting.wait():
                    if not self._heard(partners[connection.fileno()]):
                        waiting.leave(connection)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.results.put(error)
        else:
            self.results.put(None)
        finally:
            self.inputs.put(None)

    def _heard(self, partner: _Partner) -> bool:
        """Act on a message of a worker; return whether it will send more."""
        try:
            message = partner.connection.recv()
        except (EOFError, OSError) as error:
            if self._closing:
                return False
            partner.process.kill()  # it has hung up, and may still be there
            raise PluginError(f"worker process {partner.process.pid} {how_ended(partner.process.ended())}") from error
        if isinstance(message, Input):
            self.inputs.put(self._arrived(partner, message))
        elif isinstance(message, Began):
            self._assign(partner)
        elif isinstance(message, Rows):
            self.results.put(message)
        elif isinstance(message, Broken):
            raise message.error
        return not isinstance(message, Done)

    def _arrived(self, partner: _Partner, message: Input) -> Arrived:
        started = time.perf_counter()
        inputs = partner.slots[message.slot].take(message.parcel, partner.connection)
        if self._pinned:
            inputs = pin(inputs)
        took = time.perf_counter() - started
        return Arrived(partner.number, message.slot, message.cell, message.samples, inputs, took)


def _start(unit: Unit, workers: int) -> list[_Partner]:
    """Start the worker processes."""
    end_threads()
    _allow_files(_FILES + _FILES_OF_WORKER * workers)
    partners: list[_Partner] = []
    for number in range(workers):
        mine, process = start_process(work, unit, [partner.connection for partner in partners])
        partners.append(_Partner(number, process, mine))
    return partners


def _allow_files(count: int) -> None:
    """Raise this process's own limit of open files to `count`, as far as the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
