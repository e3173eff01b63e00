"""A process that forks the workers, so that they inherit neither threads nor a device that is in use.

A forked process has only the thread that forked it. Locks that other threads held stay locked for ever, and CUDA does
not work. So this process is forked at the start of a run, when there is one thread and no device is used. It does
nothing but fork workers when it is asked to, at any time of the run.

It also spares copies: what the run knew when the process was forked (tasks, models, datasets, codecs) is there already.
A message that mentions such an object has only its number.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from harness.batches.start import quiet_signals
from harness.workers.children import OwnChild, hang_up
from harness.workers.transport import portable

__all__ = ["Child", "Known", "Nursery", "make_nursery", "nursery", "open_nursery", "start_process"]

_START, _ENDED = b"start ", b"ended "
"""How the two questions to the nursery begin."""


@dataclass(frozen=True)
class Child:
    """A process that the nursery has forked.

    Args:
        pid: its process id, which stays its own until `ended` was called.
        nursery: the nursery that forked it.
    """

    pid: int
    nursery: Nursery

    def kill(self) -> None:
        """End the process at once. A process whose end is known is left alone: its number may be another's by now."""
        if self.pid not in self.nursery.statuses:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)

    def ended(self) -> int | None:
        """Wait until the process has ended; return its exit status, or the negative number of the signal.

        None if the nursery itself has died, so that nobody knows.
        """
        return self.nursery.ended(self.pid)


class Nursery:
    """The process that forks.

    Args:
        known: the objects that messages need not copy, in any order.

    Attributes:
        statuses: process id -> how the process ended, once that was asked.
        owner: the id of the process that may use the nursery. A process that this one forks may not.
    """

    def __init__(self, known: Sequence[object]) -> None:
        self._known = list(known)
        self._numbers = {id(thing): number for number, thing in enumerate(self._known)}
        self._lock = threading.Lock()
        self.statuses: dict[int, int] = {}
        self.owner = os.getpid()
        self._connection, its = multiprocessing.Pipe()
        _flush()
        # Not by `multiprocessing`, which waits for its processes when Python exits: nobody has to wait for this one.
        self._pid = os.fork()
        if not self._pid:
            _run(self._serve, self._connection, its)
        its.close()

    def start(self, work: Callable[..., None], arguments: object, connection: Connection) -> Child:
        """Fork a process that calls `work(arguments, connection)`.

        Args:
            work: a function of a module.
            arguments: what it is given; what is neither known nor can be pickled cannot be given.
            connection: the process's end of a pipe, which is closed here.

        Raises:
            OSError, EOFError: the nursery has died, or the system has no room for another process.
            Exception: the nursery could not read the arguments.
        """
        text = io.BytesIO()
        text.write(_START)
        _Writer(text, self._numbers).dump((work, arguments))
        with self._lock, self._exchange():
            self._connection.send_bytes(text.getvalue())
            send_handle(self._connection, connection.fileno(), self._pid)
            answer = self._connection.recv()
        connection.close()
        if isinstance(answer, Exception):
            raise answer
        return Child(answer, self)

    def ended(self, pid: int) -> int | None:
        """Wait until one of the processes has ended; return its exit status, or the negative number of the signal.

        None if the nursery has died.
        """
        with self._lock:
            if pid not in self.statuses:
                try:
                    with self._exchange():
                        self._connection.send_bytes(_ENDED + str(pid).encode())
                        self.statuses[pid] = self._connection.recv()
                except (OSError, EOFError):
                    return None
            return self.statuses[pid]

    @contextlib.contextmanager
    def _exchange(self) -> Iterator[None]:
        """A question with its answer. If it is interrupted, no answer may be taken for that to another question."""
        try:
            yield
        except BaseException:
            hang_up(self._connection)
            raise

    def close(self) -> None:
        """End the process, which has nothing to lose. Workers that are still there notice that everybody has gone."""
        hang_up(self._connection)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._connection.close()

    def _serve(self, other: Connection, connection: Connection) -> None:
        """Fork what is asked for, until the main process hangs up."""
        other.close()
        quiet_signals()
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                text = connection.recv_bytes()
                if text.startswith(_ENDED):
                    connection.send(os.waitstatus_to_exitcode(os.waitpid(int(text[len(_ENDED) :]), 0)[1]))
                    continue
                handle = recv_handle(connection)
                try:
                    work, arguments = _Reader(io.BytesIO(text[len(_START) :]), self._known).load()
                    pid = os.fork()
                except Exception as error:  # noqa: BLE001 - the main process raises it
                    connection.send(portable(error))
                else:
                    if not pid:
                        connection.close()
                        _run(work, arguments, Connection(handle))
                    connection.send(pid)
                os.close(handle)


def _run(work: Callable[..., None], arguments: object, connection: Connection) -> None:
    """Be the new process. It never returns."""
    status = 1
    try:
        work(arguments, connection)
        status = 0
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        with contextlib.suppress(Exception):  # nobody may be there to be told
            sys.excepthook(*sys.exc_info())
    finally:
        _flush()
        os._exit(status)


def _flush() -> None:
    """Write what is buffered for the standard streams, of which one may be closed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


class _Writer(pickle.Pickler):
    """Pickles, with a number in place of each known object."""

    def __init__(self, file: io.BytesIO, numbers: dict[int, int]) -> None:
        super().__init__(file, protocol=5)
        self._numbers = numbers

    def persistent_id(self, value: Any) -> int | None:
        return self._numbers.get(id(value))


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` has written, in a process that knows the same objects."""

    def __init__(self, file: io.BytesIO, known: Sequence[object]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, number: Any) -> object:
        return self._known[number]


class Known:
    """Writes and reads messages in which known objects have only their number. Both sides know the same ones, in order.

    Args:
        things: the objects.
    """

    def __init__(self, things: Sequence[object]) -> None:
        self._things = things
        self._numbers = {id(thing): number for number, thing in enumerate(things)}

    def dumps(self, message: object) -> bytes:
        """Return a message as bytes."""
        text = io.BytesIO()
        _Writer(text, self._numbers).dump(message)
        return text.getvalue()

    def loads(self, text: bytes) -> Any:
        """Return the message of `dumps`."""
        return _Reader(io.BytesIO(text), self._things).load()


def start_process(
    work: Callable[..., None],
    arguments: object,
    others: Sequence[Connection] = (),
    own: Nursery | None = None,
) -> tuple[Connection, Child | OwnChild]:
    """Start a process that calls `work(arguments, connection)`: from the run's nursery, else from this process.

    Args:
        work: a function of a module.
        arguments: what it is given.
        others: this process's ends of other pipes. A process that this one forks itself closes them: whoever holds an
            end of a pipe keeps the other side from noticing that its partner has died.
        own: a nursery to take in place of the run's.

    Returns:
        This process's end of the pipe, and the new process.
    """
    home = own or nursery()
    # Forked processes start at once and share the parent's data. Other platforms use their own start method.
    forked = sys.platform == "linux"
    context: Any = multiprocessing.get_context("fork" if forked else None)
    mine, its = context.Pipe()
    if home is not None:
        return mine, home.start(work, arguments, its)
    inherited = (mine, *others) if forked else ()
    process = context.Process(target=_begin, args=(work, arguments, its, inherited), daemon=True)
    process.start()
    its.close()
    return mine, OwnChild(process)


def _begin(
    work: Callable[..., None], arguments: object, connection: Connection, inherited: Sequence[Connection]
) -> None:
    for other in inherited:
        other.close()
    work(arguments, connection)


_open: list[Nursery] = []


def nursery() -> Nursery | None:
    """Return the nursery of the run, if there is one. A process that was forked has none: it is its parent's."""
    return _open[-1] if _open and _open[-1].owner == os.getpid() else None


def make_nursery(known: Sequence[object]) -> Nursery | None:
    """Fork a nursery, where processes can be forked.

    The libraries that every worker needs are imported before, once for all of them.
    """
    if sys.platform != "linux":
        return None
    import cv2  # noqa: F401
    import torch  # noqa: F401

    from harness.media.opencv import end_threads

    end_threads()
    return Nursery(known)


@contextlib.contextmanager
def open_nursery(known: Sequence[object]) -> Iterator[None]:
    """Fork the nursery of a run, which lasts as long as the context."""
    if (made := make_nursery(known)) is None:
        yield
        return
    _open.append(made)
    try:
        yield
    finally:
        _open.pop().close()
