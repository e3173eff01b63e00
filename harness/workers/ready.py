"""Waits for messages. `multiprocessing` makes a selector for each wait, which costs more than most messages do."""

from __future__ import annotations

import math
import select
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

__all__ = ["Ready"]

Owner = TypeVar("Owner")


class Ready(Generic[Owner]):
    """Says which of some pipes have a message, or have been hung up.

    Args:
        owners: this process's ends of the pipes, and what `wait` returns for each.
    """

    def __init__(self, owners: Mapping[Connection, Owner]) -> None:
        self._owners: dict[int, tuple[Any, Owner]] = {}
        self._poll = select.poll() if hasattr(select, "poll") else None  # not on Windows
        for connection, owner in owners.items():
            self.add(connection, owner)

    def __bool__(self) -> bool:
        """Whether there is a pipe left to wait for."""
        return bool(self._owners)

    def owners(self) -> list[Owner]:
        """Return what belongs to the pipes, in the order in which they were added."""
        return [owner for _, owner in self._owners.values()]

    def add(self, connection: Connection, owner: Owner) -> None:
        """Wait for one more pipe."""
        self._owners[connection.fileno()] = (connection, owner)
        if self._poll is not None:
            self._poll.register(connection.fileno(), select.POLLIN)

    def leave(self, connection: Connection) -> None:
        """Wait for a pipe no longer. It must not be closed before: its number may be another one's then."""
        del self._owners[connection.fileno()]
        if self._poll is not None:
            self._poll.unregister(connection.fileno())

    def wait(self, seconds: float | None = None) -> list[Owner]:
        """Wait for a message in any of the pipes, at most so long (None: for ever); return whose have one."""
        if self._poll is None:
            owners = dict(self._owners.values())
            return [owners[connection] for connection in wait(list(owners), seconds)]
        found = self._poll.poll(None if seconds is None else math.ceil(1000 * seconds))
        return [self._owners[number][1] for number, _ in found]
