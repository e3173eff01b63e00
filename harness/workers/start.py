"""How a worker process is set up: its signals, and its threads."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType

__all__ = ["quiet_signals", "start_worker"]


def start_worker(_: int) -> None:
    """Set up a worker process: it ignores Ctrl-C, which the main process handles, and uses one thread."""
    import cv2
    import torch

    quiet_signals()
    sys.excepthook = _report_unless_pipe_closed
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def quiet_signals() -> None:
    """Let this process ignore Ctrl-C, which the main process handles, and the first SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ignore_first_sigterm)


def _ignore_first_sigterm(number: int, frame: FrameType | None) -> None:
    """Ignore the first SIGTERM; a second one ends this process.

    The first SIGTERM usually goes to the whole process group. Then the main process ends its workers itself.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _report_unless_pipe_closed(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """Print an uncaught error, except the error of a closed connection to the main process.

    A worker gets that error if it sends a batch to a main process that was interrupted.
    """
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, at)
