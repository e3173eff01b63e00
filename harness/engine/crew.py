"""Processes that carry out orders side by side on this machine, for the executor `local`.

They come from the run's nursery, so they have neither threads nor a device from the start, and each starts CUDA for
itself. Each has a nursery of its own, from which its workers come. They ignore Ctrl-C: the main process hangs up, and
they end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from harness.batches.start import quiet_signals
from harness.device.machine import accelerators
from harness.device.trace import open_trace
from harness.engine.orders import run_order
from harness.errors import HarnessError
from harness.executor import Order, Ready, Report
from harness.keep.processes import how_ended
from harness.progress import Silence
from harness.workers.children import hang_up
from harness.workers.nursery import Known, make_nursery, nursery, open_nursery, start_process
from harness.workers.transport import portable

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import Status
    from harness.unit import Settings
    from harness.workers.children import OwnChild
    from harness.workers.nursery import Child

__all__ = ["Crew", "devices"]

_TICK = 1.0
"""How often the main process looks whether something else has become ready, in seconds."""


@dataclass(frozen=True)
class _Said:
    """What a process wants the user to know."""

    text: str
    warning: bool


@dataclass(frozen=True)
class _Training:
    """That a training has started or ended: the method of the progress to call, with its arguments."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class _Member:
    """One of the processes, as the main process sees it."""

    place: str
    settings: Settings
    connection: Connection
    process: Child | OwnChild
    order: Order | None = None


class Crew:
    """Processes that carry out orders side by side.

    Args:
        places: the torch device of each process.
        settings: the run's settings. The workers are shared out; threads are those of each process, because their
            number may change the last bits of a result.
        known: what orders mention and is sent only once.
    """

    def __init__(self, places: Sequence[str], settings: Settings, known: Sequence[object]) -> None:
        self._known = list(known)
        self._language = Known(self._known)
        # A process that dies is replaced while there are threads, so it must not be forked from this process.
        self._own = make_nursery(known) if nursery() is None else None
        workers = max(1, settings.workers // len(places)) if settings.workers else 0
        self._members: list[_Member] = []
        for number, device in enumerate(places):
            its = replace(settings, device=device, workers=workers)
            self._members.append(self._start(f"process {number + 1}", its))

    def _start(self, place: str, settings: Settings) -> _Member:
        others = [member.connection for member in self._members]
        connection, process = start_process(_serve, (settings, self._known), others, self._own)
        return _Member(place, settings, connection, process)

    def work(self, ready: Ready, progress: Progress) -> Iterator[Report]:
        """Let the processes carry out what is ready, until nothing is, and all are idle."""
        while True:
            for member in self._members:
                if member.order is None and (order := ready.take(len(self._members))) is not None:
                    member.order = order
                    with contextlib.suppress(OSError):  # that it has died is noticed below
                        member.connection.send_bytes(self._language.dumps(order))
            busy = {member.connection: member for member in self._members if member.order is not None}
            if not busy:
                return
            for connection in wait(list(busy), _TICK):
                yield from self._heard(busy[connection], progress)  # type: ignore[index]

    def _heard(self, member: _Member, progress: Progress) -> Iterator[Report]:
        """Yield the report that a process has sent; of one that has died, that no more of its order will come."""
        assert member.order is not None
        try:
            message = member.connection.recv()
        except (EOFError, OSError):
            order = member.order
            member.process.kill()
            how = how_ended(member.process.ended())
            member.connection.close()
            self._members[self._members.index(member)] = self._start(member.place, member.settings)
            progress.warning(f"{member.place} {how} while it carried out {order.label}. Another one takes its place.")
            yield Report(order.number, done=True, place=member.place, device=member.settings.device)
            return
        if isinstance(message, _Said):
            if message.warning:
                progress.warning(message.text)
            else:
                progress.status(f"{message.text} ({member.place})" if message.text else "")
            return
        if isinstance(message, _Training):
            getattr(progress, message.method)(*message.arguments)
            return
        if message.done:
            member.order = None
        yield replace(message, place=member.place, device=member.settings.device)

    def close(self) -> None:
        """End the processes. What they were doing is lost."""
        for member in self._members:
            hang_up(member.connection)
        for member in self._members:
            member.process.kill()
            member.process.ended()
            member.connection.close()
        if self._own is not None:
            self._own.close()


def devices(device: str, processes: int) -> list[str]:
    """Return the device of each process: that of the run, and for CUDA the next GPUs, in a circle.

    Args:
        device: the run's torch device.
        processes: the number of processes; 0 for one for each GPU.

    >>> devices("cpu", 2)
    ['cpu', 'cpu']
    """
    if not device.startswith("cuda"):
        return [device] * max(1, processes)
    count = len(accelerators().cuda)
    first = int(device.partition(":")[2] or 0)
    return [f"cuda:{(first + number) % count}" for number in range(processes or count)]


class _Sends(Silence):
    """Progress of a process, which goes to the main process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self, text: str) -> None:
        self._connection.send(_Said(text, warning=False))

    def warning(self, text: str) -> None:
        self._connection.send(_Said(text, warning=True))

    def training_started(self, key: str, label: str, begin: int, end: int) -> None:
        self._connection.send(_Training("training_started", (key, label, begin, end)))

    def training_ended(self, key: str, label: str, status: Status, weights: str | None) -> None:
        self._connection.send(_Training("training_ended", (key, label, status, weights)))


def _serve(arguments: tuple[Settings, list[object]], connection: Connection) -> None:
    """Carry out orders until the main process hangs up."""
    settings, known = arguments
    quiet_signals()
    progress, language = _Sends(connection), Known(known)
    with contextlib.ExitStack() as stack:
        if settings.workers:
            stack.enter_context(open_nursery(known))
        stack.enter_context(open_trace())
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                order = language.loads(connection.recv_bytes())
                for report in run_order(order, settings, progress):
                    if report.error is not None:
                        error = portable(report.error)
                        named = error if isinstance(error, HarnessError) else HarnessError(str(error))
                        report = replace(report, error=named)
                    connection.send(report)
