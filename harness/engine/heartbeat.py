"""Renews the claims of this process while it works."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import Claim
    from harness.store import Store

__all__ = ["Heartbeat"]


class Heartbeat:
    """A context manager with a thread that renews the leases of this process, three times per lease duration.

    A renewal that fails is tried again after the next interval; the first failure in a row is reported as a warning.
    The store accepts rows only while the process has the claim. So if a lease was lost, writing rows fails, and nothing
    is written twice.

    Args:
        store: the store that has the claims.
        claim: the claim of this process.
        progress: receives the warning.
    """

    def __init__(self, store: Store, claim: Claim, progress: Progress) -> None:
        self.store = store
        self.claim = claim
        self.progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        failing = False
        while not self._stop.wait(self.claim.lease / 3):
            try:
                self.store.renew(self.claim)
                failing = False
            except StoreError as error:
                if not failing:
                    self.progress.warning(
                        f"the claims of this run could not be renewed ({error}); that is tried again every "
                        f"{self.claim.lease / 3:g} s. Without a renewal another run may take them over in "
                        f"{self.claim.lease:g} s."
                    )
                failing = True
