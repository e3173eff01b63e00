"""What plugins are asked before a run has begun: each call has a limit of time, and one that ends the process is found.

Nobody can record a plugin that crashes the process, or loops, before there is a run. Therefore a command has a small
file in the cache folder that says which call is under way. A command that ends in any other way removes its file. The
next one finds the files of those that are not there any more, and tries such a call in a process of its own first.

The file is made with the first call, and each call costs a write and a thread that waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from harness.errors import PluginError, plain_text
from harness.files import cache_dir
from harness.keep.processes import boot, how_ended

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["LIMIT", "answered", "asking", "limited_to", "still_there"]

T = TypeVar("T")

LIMIT = 600.0
"""How many seconds a call may take, where the command has no limit of its own."""
LEAST = 60.0
"""How many seconds a call may take, however short the command's limit is."""
_TICK = 1.0
"""How often the clock is looked at, in seconds. Time in which the whole process was stopped does not count."""
_SIZE = 4096
"""The size of the file, in bytes: an entry is padded to it, so that no shorter one leaves a part of a longer one."""
_FOLDER, _CALLS = "before", "calls"


class _Asking:
    """The calls of one command.

    Attributes:
        limit: how many seconds each may take; 0 for as long as it likes.
        owner: the process. One that it forks is none of it.
        passed: how many seconds the call that is under way has taken.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.owner = os.getpid()
        self.passed = 0.0
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._calls: list[str] = []

    def begin(self, call: str) -> None:
        """Note that a call is under way."""
        if self._path is None:
            self._path = cache_dir() / _FOLDER / f"{os.getpid()}-{secrets.token_hex(8)}"
            self._open(self._path)
        self._calls.append(call)
        self._write()

    def end(self) -> None:
        """Note that it has come back."""
        self._calls.pop()
        self._write()

    def close(self) -> None:
        """Remove the file: this command has not ended without a word."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, own: Path) -> None:
        """Make the file, and count the files of commands that are not there any more."""
        if sys.platform == "win32":
            return
        import fcntl

        with contextlib.suppress(OSError):
            own.parent.mkdir(parents=True, exist_ok=True)
            for path in sorted(own.parent.iterdir()):
                if path.is_file() and not path.name.startswith(f"{os.getpid()}-"):
                    _count(path)
            self._file = own.open("x+b", buffering=0)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends, however that may be

    def _write(self) -> None:
        if self._file is not None:
            entry = json.dumps({"boot": boot(), "call": self._calls[-1]}) if self._calls else ""
            with contextlib.suppress(OSError):
                os.pwrite(self._file.fileno(), entry.encode().ljust(_SIZE), 0)


_open: list[_Asking] = []


@contextlib.contextmanager
def asking(limit: float = LIMIT) -> Iterator[None]:
    """A context in which the calls that `answered` makes are watched.

    Args:
        limit: how many seconds each call may take; 0 for as long as it likes.
    """
    _open.append(_Asking(limit))
    try:
        yield
    finally:
        _open.pop().close()


def limited_to(limit: float) -> None:
    """Set how many seconds each call of this command may take from now on; 0 for as long as it likes.

    A call may always take `LEAST` seconds: to load a model takes longer than a step of a sample.
    """
    if (asked := _asking()) is not None:
        asked.limit = max(limit, LEAST) if limit else 0.0


def still_there() -> None:
    """Begin the limit of the call that is under way anew: it has come a step further."""
    if (asked := _asking()) is not None:
        asked.passed = 0.0


def answered(who: str, what: str, call: Callable[[], T], endless: bool = False) -> T:
    """Return what a call of a plugin gives.

    If it takes too long, the process ends with a sentence and exit status 2: nothing was begun, and a call cannot be
    ended otherwise. Outside `asking` the call is made, and that is all.

    Args:
        who: the plugin: "model demo".
        what: the function: "load()".
        call: the call.
        endless: whether it may take as long as it likes.

    Raises:
        PluginError: a command ended without a word in this call, and so did a process of its own now, or that process
            took too long.
        Exception: what the call raised.
    """
    asked = _asking()
    if asked is None:
        return call()
    name = f"{who}: {what}"
    limit = 0.0 if endless else asked.limit
    asked.begin(name)
    try:
        if (mark := _mark(name)).exists():
            if why := _tried(call, limit):
                raise PluginError(f"{name} {why}")
            mark.unlink(missing_ok=True)
        with _limited(asked, name, limit):
            return call()
    finally:
        asked.end()


def _asking() -> _Asking | None:
    return _open[-1] if _open and _open[-1].owner == os.getpid() else None


@contextlib.contextmanager
def _limited(asked: _Asking, name: str, limit: float) -> Iterator[None]:
    """A context that ends the process if it takes too long."""
    outer, asked.passed = asked.passed, 0.0
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(asked, name, limit, done), name="before", daemon=True)
    if limit:
        watch.start()
    try:
        yield
    finally:
        done.set()
        if limit:
            watch.join()
        asked.passed = outer


def _watch(asked: _Asking, name: str, limit: float, done: threading.Event) -> None:
    tick = min(_TICK, limit / 4)
    looked = time.monotonic()
    while not done.wait(tick):
        now = time.monotonic()
        asked.passed += min(now - looked, 2 * tick)
        looked = now
        if asked.passed > limit:
            asked.close()
            with contextlib.suppress(OSError):
                text = f"\nerror: {name} took longer than {limit:g} s, and was given up. Nothing was begun.\n"
                os.write(2, text.encode("utf-8", "backslashreplace"))
            os._exit(2)


def _tried(call: Callable[[], Any], limit: float) -> str | None:
    """Make a call in a process of its own; return why it must not be made here, None if it came back.

    An error that the call raises is no end of its process: it is met again here.
    """
    if sys.platform != "linux":
        return None
    import multiprocessing

    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_made, args=(call, its), daemon=True)
    process.start()
    its.close()
    text = "has ended a command before; tried in a process of its own, "
    with mine:
        try:
            if mine.poll(limit or None):
                mine.recv()
                return None
            return f"{text}it took longer than {limit:g} s"
        except EOFError:
            process.join()
            return f"{text}that process {how_ended(process.exitcode)}"
        finally:
            process.kill()
            process.join()


def _made(call: Callable[[], Any], connection: Connection) -> None:
    with contextlib.suppress(Exception, SystemExit):
        call()
    connection.send(True)


def _count(path: Path) -> None:
    """Keep the call at which a command has ended without a word, if this is the file of one."""
    import fcntl

    with contextlib.suppress(OSError), path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused if the command is still there
        with contextlib.suppress(ValueError, KeyError, TypeError):  # it may be empty, or cut off
            entry = json.loads(file.read())
            if entry["boot"] == boot():
                mark = _mark(entry["call"])
                mark.parent.mkdir(exist_ok=True)
                mark.write_text(plain_text(entry["call"]), encoding="utf-8")
        path.unlink()


def _mark(call: str) -> Path:
    """The file that says that a command has ended without a word in a call."""
    return cache_dir() / _FOLDER / _CALLS / hashlib.sha256(call.encode("utf-8", "backslashreplace")).hexdigest()
