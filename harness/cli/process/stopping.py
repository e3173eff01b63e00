"""What stops a run from outside: Ctrl-C, SIGTERM, the end of its terminal (SIGHUP), and SIGQUIT."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["Stopped", "status_of", "stop_on_signals"]

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class Stopped(KeyboardInterrupt):
    """A signal has asked the run to stop.

    Args:
        number: the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def status_of(error: BaseException) -> int:
    """Return the exit status of an interrupted command: 128 and the number of the signal, as shells have it."""
    cause = error if isinstance(error, Stopped) else error.__cause__
    return 128 + (cause.number if isinstance(cause, Stopped) else signal.SIGINT)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """A context in which these signals stop a run in order: with a message at once, and with `Stopped`.

    A signal that this process was started to ignore (`nohup`, a job in the background) is ignored here too.
    """
    main = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != main:  # in a process that was forked: the main process, which stops it, may use SIGTERM
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        # `timeout` sends SIGTERM twice, to the process and to its group, and a terminal that closes may send several
        # signals. No second one may interrupt the writing, but for the user's own Ctrl-C.
        for other in signals:
            signal.signal(other, signal.default_int_handler if other == signal.SIGINT else signal.SIG_IGN)
        with suppress(OSError):  # a closed standard error must not prevent the regular end of the run
            os.write(2, b"\nstopping: what was done is being written, which may take some seconds.\n")
        raise Stopped(number)

    known = [signal.Signals[name] for name in _SIGNALS if hasattr(signal, name)]
    signals = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
