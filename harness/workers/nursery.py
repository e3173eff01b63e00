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
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from harness.workers.start import quiet_signals

__all__ = ["Child", "Nursery", "nursery", "open_nursery"]


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
        """End the process at once. A process that has ended already is left alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def ended(self) -> int:
        """Wait until the process has ended; return its exit status, or the negative number of the signal."""
        return self.nursery.ended(self.pid)


class Nursery:
    """The process that forks.

    Args:
        known: the objects that messages need not copy, in any order.
    """

    def __init__(self, known: Sequence[object]) -> None:
        self._known = list(known)
        self._numbers = {id(thing): number for number, thing in enumerate(self._known)}
        self._lock = threading.Lock()
        self._statuses: dict[int, int] = {}
        context = multiprocessing.get_context("fork")
        self._connection, its = context.Pipe()
        self._process = context.Process(target=self._serve, args=(its, self._connection), name="nursery")
        self._process.start()
        its.close()

    def start(self, work: Callable[..., None], arguments: object, connection: Connection) -> Child:
        """Fork a process that calls `work(arguments, connection)`.

        Args:
            work: a function of a module.
            arguments: what it is given; what is neither known nor can be pickled cannot be given.
            connection: the process's end of a pipe, which is closed here.

        Raises:
            OSError, EOFError: the nursery has died, or the system has no room for another process.
        """
        text = io.BytesIO()
        _Writer(text, self._numbers).dump((work, arguments))
        with self._lock:
            self._connection.send_bytes(text.getvalue())
            send_handle(self._connection, connection.fileno(), self._process.pid)
            pid = self._connection.recv()
        connection.close()
        if isinstance(pid, OSError):
            raise pid
        return Child(pid, self)

    def ended(self, pid: int) -> int:
        """Wait until one of the processes has ended; return its exit status, or the negative number of the signal."""
        with self._lock:
            if pid not in self._statuses:
                self._connection.send_bytes(pickle.dumps(pid))
                self._statuses[pid] = self._connection.recv()
            return self._statuses[pid]

    def close(self) -> None:
        """End the process. Workers that are still there notice that the main process has hung up."""
        self._connection.close()
        self._process.join()

    def _serve(self, connection: Connection, other: Connection) -> None:
        """Fork what is asked for, until the main process hangs up."""
        other.close()
        quiet_signals()
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                asked = _Reader(io.BytesIO(connection.recv_bytes()), self._known).load()
                if isinstance(asked, int):
                    connection.send(os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1]))
                    continue
                handle = recv_handle(connection)
                try:
                    pid = os.fork()
                except OSError as error:
                    connection.send(error)
                else:
                    if not pid:
                        work, arguments = asked
                        _run(work, arguments, handle, connection)
                    connection.send(pid)
                os.close(handle)


def _run(work: Callable[..., None], arguments: object, handle: int, inherited: Connection) -> None:
    """Be the new process. It never returns."""
    status = 1
    try:
        inherited.close()
        work(arguments, Connection(handle))
        status = 0
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


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


_open: list[Nursery] = []


def nursery() -> Nursery | None:
    """Return the nursery of the run, if there is one."""
    return _open[-1] if _open else None


@contextlib.contextmanager
def open_nursery(known: Sequence[object]) -> Iterator[None]:
    """Fork a nursery for the time of a run, where processes can be forked.

    The libraries that every worker needs are imported before, once for all of them.
    """
    if sys.platform != "linux":
        yield
        return
    import cv2  # noqa: F401
    import torch  # noqa: F401

    from harness.media.opencv import end_threads

    end_threads()
    _open.append(Nursery(known))
    try:
        yield
    finally:
        _open.pop().close()
