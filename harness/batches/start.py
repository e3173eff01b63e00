"""How a worker process is set up: its signals, and its threads."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType

__all__ = ["plugin_errors", "quiet_signals", "start_worker"]

_quiet = False


def start_worker(_: int) -> None:
    """Set up a worker process: it leaves signals to the main process, and uses one thread."""
    import cv2
    import torch

    quiet_signals()
    sys.excepthook = _report_unless_pipe_closed
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def quiet_signals() -> None:
    """Let this process ignore what asks a run to stop: Ctrl-C, SIGTERM, and the end of its terminal.

    Such a signal usually goes to the whole process group. The main process then writes what was done, and ends its
    processes itself: it hangs up, and kills what does not end by that. A process that the main process has left without
    a word sees that it has hung up. So nobody waits for what a signal does here.
    """
    global _quiet
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            # A function, because programs that a plugin starts would inherit SIG_IGN.
            signal.signal(getattr(signal, name), _ignore)
    _quiet = True


def plugin_errors() -> tuple[type[BaseException], ...]:
    """Return what a plugin may raise at the cost of no more than its sample.

    `SystemExit` too: a plugin does not decide when a run ends. In a process that ignores Ctrl-C, `KeyboardInterrupt`
    can come from a plugin alone.
    """
    return (Exception, SystemExit, KeyboardInterrupt) if _quiet else (Exception, SystemExit)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def _report_unless_pipe_closed(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """Print an uncaught error, except the error of a closed connection to the main process.

    A worker gets that error if it sends a batch to a main process that was interrupted.
    """
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, at)
