"""Says when something takes too long."""

from __future__ import annotations

import time

__all__ = ["Clock"]

_TICK = 1.0
"""How often to look, in seconds."""
_STOPPED = 5.0
"""If nobody looked for so many seconds more than that, this process was stopped, and so were its workers (Ctrl-Z)."""


class Clock:
    """Measures how long steps take. Time in which the whole run was stopped does not count.

    Args:
        limit: how many seconds a step of one sample may take; 0 for as long as it likes.

    Attributes:
        tick: after how many seconds to look again.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.tick = min(_TICK, limit / 4) if limit else _TICK
        self._looked = self._counted_from = time.monotonic()

    def due(self) -> bool:
        """Return whether it is time to look. It has to be asked about once a tick."""
        now = time.monotonic()
        if now - self._looked < self.tick:
            return False
        if now - self._looked > self.tick + _STOPPED:
            self._counted_from = now
        self._looked = now
        return True

    def late(self, since: float, samples: int = 1) -> bool:
        """Return whether a step of some samples that began at `since` (`time.monotonic`) has taken too long."""
        return bool(self._limit) and time.monotonic() - max(since, self._counted_from) > self._limit * samples
