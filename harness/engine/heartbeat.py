"""Renews this process's claims while it works."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.records import Claim
    from harness.store import Store

__all__ = ["Heartbeat"]


class Heartbeat:
    """A thread that prolongs the leases three times in their length, for as long as the context lasts.

    A renewal that fails is tried again at the next beat. Rows are only ever written under a living claim, so a lease
    that was lost meanwhile shows there, and nothing is written twice.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self.store = store
        self.claim = claim
        self.last_error: StoreError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self.claim.lease / 3):
            try:
                self.store.renew(self.claim)
                self.last_error = None
            except StoreError as error:
                self.last_error = error
