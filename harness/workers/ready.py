"""Waits for messages. `multiprocessing` makes a selector for each wait, which costs more than most messages do."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import cast

__all__ = ["Ready"]


class Ready:
    """Says which of some pipes have a message, or have been hung up.

    Args:
        connections: this process's ends of the pipes.
    """

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = {connection.fileno(): connection for connection in connections}
        self._poll = select.poll() if hasattr(select, "poll") else None  # not on Windows
        if self._poll is not None:
            for number in self._connections:
                self._poll.register(number, select.POLLIN)

    def __bool__(self) -> bool:
        """Whether there is a pipe left to wait for."""
        return bool(self._connections)

    def wait(self, seconds: float | None = None) -> list[Connection]:
        """Wait for a message in any of the pipes, at most so long (None: for ever); return the pipes that have one."""
        if self._poll is None:
            return cast("list[Connection]", wait(list(self._connections.values()), seconds))
        found = self._poll.poll(None if seconds is None else math.ceil(1000 * seconds))
        return [self._connections[number] for number, _ in found]

    def leave(self, connection: Connection) -> None:
        """Wait for a pipe no longer."""
        number = next(number for number, each in self._connections.items() if each is connection)
        del self._connections[number]
        if self._poll is not None:
            self._poll.unregister(number)
