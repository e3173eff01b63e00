"""Writes the results of experiments whose rows are complete, as soon as their metrics are computed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.device.trace import Deaths, forget
from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.engine.claims import Claims
    from harness.engine.noted import Noted
    from harness.engine.outcome import Outcome
    from harness.finish.background import Finishing
    from harness.finish.finisher import Finisher
    from harness.progress import Progress
    from harness.records import Claim

__all__ = ["Concluding"]


class Concluding:
    """Takes what is computed of experiments, writes it, and tells of it.

    Args:
        finishing: computes the metrics, maybe in a process of its own.
        finisher: writes the results.
        claim: the claim of this process.
        claims: the claims on experiments; those of what is written have ended.
        noted: what was noted of experiments; it is stored with their results.
        outcome: gets the experiments that are finished, and those that failed.
        progress: receives progress.
        deaths: what is known of experiments that have ended runs; of what is finished, that is forgotten.
        max_failures: the number of failed samples up to which an experiment still counts as finished.
    """

    def __init__(
        self,
        finishing: Finishing,
        finisher: Finisher,
        claim: Claim,
        claims: Claims,
        noted: Noted,
        outcome: Outcome,
        progress: Progress,
        deaths: Mapping[str, Deaths],
        max_failures: int,
    ) -> None:
        self._finishing = finishing
        self._finisher = finisher
        self._claim = claim
        self._claims = claims
        self._noted = noted
        self._outcome = outcome
        self._progress = progress
        self._deaths = deaths
        self._max_failures = max_failures

    def write(self, wait: bool = False) -> None:
        """Write the results of experiments whose rows are complete and whose metrics are computed.

        Args:
            wait: whether to wait until all are computed.

        Raises:
            StoreError: the database cannot be used any more.
        """
        if wait and (keys := self._finishing.keys):
            self._progress.status(f"computing intervals of {len(keys)} experiments")
        for ready in self._finishing.ready(wait):
            cell, key = ready.cell, ready.cell.experiment.key
            if isinstance(ready.calculated, StoreError):
                raise ready.calculated
            if isinstance(ready.calculated, Exception):
                self._claims.fail([cell], reason(f"task {ready.subject.task.name}", ready.calculated))
                continue
            started = time.perf_counter()
            try:
                result = self._finisher.write(cell, self._claim, self._max_failures, ready.calculated)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this experiment costs no other one
                self._claims.fail([cell], reason("writing the results", error))
                continue
            self._noted.seconds.add(key, {"finish": ready.seconds + time.perf_counter() - started})
            self._noted.store(key)
            self._claims.held.discard(key)
            if key in self._deaths:
                forget(key)
            if result.failed:
                self._outcome.failed[key] = result.failed
            else:
                self._outcome.finished.append(key)
            self._progress.finished(cell.experiment, result.totals, result.metrics)
        if wait:
            self._progress.status("")
