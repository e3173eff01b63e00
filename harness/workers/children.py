"""Processes that work for this one, and how they are ended."""

from __future__ import annotations

import contextlib
import socket
import sys
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from typing import Any

__all__ = ["OwnChild", "hang_up"]


class OwnChild:
    """A process that this one has started itself, where there is no nursery."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid
        self._at_exit = _killed_at_exit(process)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def ended(self) -> int | None:
        """Wait until the process has ended; return its exit status, or the negative number of the signal."""
        self._process.join()
        self._at_exit.cancel()
        code: int | None = self._process.exitcode
        return code


def _killed_at_exit(process: Any) -> Any:
    """Let Python kill a process when it exits, if the process is still there then.

    Otherwise it would ask the process to end by SIGTERM, which such a process ignores, and wait for it.
    """
    return Finalize(None, process.kill, exitpriority=0)


def hang_up(connection: Connection, say_only: bool = False) -> None:
    """End a pipe. The other side notices at once, also while it waits, and also if others hold this end too.

    Args:
        connection: this side's end.
        say_only: whether the other side may still send.
    """
    if sys.platform == "win32":
        connection.close()
        return
    with contextlib.suppress(OSError), socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.shutdown(socket.SHUT_WR if say_only else socket.SHUT_RDWR)
