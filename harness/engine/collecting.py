"""Takes the rows that an executor gives, holds them against what was asked for, and writes them to the store."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from harness.batches.preparing import reason
from harness.errors import HarnessError, PluginError
from harness.records import SampleRow
from harness.store import STAGES
from harness.unit import RowBatch

if TYPE_CHECKING:
    from harness.engine.noted import StageSeconds
    from harness.engine.work import Work
    from harness.finish.finisher import Finisher
    from harness.progress import Progress
    from harness.records import Claim
    from harness.store import Store

__all__ = ["Collector", "guarded"]

CHUNK_ROWS = 1000
CHUNK_SECONDS = 5.0

Given = TypeVar("Given")


class Collector:
    """Writes the rows that an executor gives for the claimed cells of a pass, in chunks of whole batches.

    An executor may give rows in any order. Of a row that comes twice the first counts. Rows that were not asked for are
    left out. The user is told of both.

    Args:
        store: the store, opened for writing.
        claim: the claim under which the rows are written.
        progress: receives progress and warnings.
        finisher: sees every row.
        seconds: receives the times of the stages.
        work: the claimed cells. In its `done` is noted which rows are there.
        executor: the executor's name, for warnings.
    """

    def __init__(
        self,
        store: Store,
        claim: Claim,
        progress: Progress,
        finisher: Finisher,
        seconds: StageSeconds,
        work: Work,
        executor: str,
    ) -> None:
        self._store = store
        self._claim = claim
        self._progress = progress
        self._finisher = finisher
        self._seconds = seconds
        self._work = work
        self._executor = executor
        self._twice = self._foreign = 0
        self._asked = {key: set(indices) for key, indices in work.missing().items()}
        self._kept = {key: set(indices) for key, indices in work.done.items()}
        self._chunk: list[SampleRow] = []
        self._last = time.monotonic()

    def add(self, rows: Sequence[SampleRow]) -> None:
        """Take the rows of one batch of one cell."""
        if isinstance(rows, RowBatch) and rows.key in self._kept:
            self._seconds.add(rows.key, {name: rows.seconds[name] for name in STAGES if name in rows.seconds})
        new = [row for row in rows if self._is_new(row, self._asked, self._kept)]
        self._chunk += new
        for row in new:
            self._work.done[row.key].add(row.index)
            self._progress.advanced(row.key, 1, int(row.status == "failed"))
            self._finisher.see(row)
        if len(self._chunk) >= CHUNK_ROWS or time.monotonic() - self._last > CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are not written yet."""
        if self._chunk:
            # The chunk is emptied first, so that an interruption after the transaction cannot write it twice.
            chunk, self._chunk = self._chunk, []
            self._write(chunk)
            self._last = time.monotonic()

    def end(self) -> None:
        """Write what is left, and tell the user of rows that came twice or were not asked for."""
        self.flush()
        if self._twice:
            self._progress.warning(f"executor {self._executor} gave {self._twice} rows twice: the first ones count.")
        if self._foreign:
            self._progress.warning(
                f"executor {self._executor} gave {self._foreign} rows that were not asked for: left out."
            )

    def _is_new(self, row: SampleRow, asked: dict[str, set[int]], kept: dict[str, set[int]]) -> bool:
        """Return whether a row was asked for and has not come before.

        If an earlier run left a batch incomplete (for example, a failed sample is computed again), the whole batch is
        predicted again, so that its results are the same. Its rows that the store has are no surprise.
        """
        if row.index in asked.get(row.key, ()):
            asked[row.key].discard(row.index)
            kept[row.key].discard(row.index)
            return True
        if row.index not in kept.get(row.key, ()):
            known = row.key in asked
            self._twice += known
            self._foreign += not known
        return False

    def _write(self, rows: Sequence[SampleRow]) -> None:
        """Write rows to the store. Each experiment is charged its share of the time."""
        started = time.perf_counter()
        self._store.write(rows, self._claim)
        share = (time.perf_counter() - started) / len(rows)
        for key, count in Counter(row.key for row in rows).items():
            self._seconds.add(key, {"write": count * share})


def guarded(results: Iterable[Given], executor: str) -> Generator[Given]:
    """Yield what an executor gives; turn its errors, or those of plugins that it calls, into a PluginError.

    At the end, and when the run is interrupted, the executor's generator is closed, so that its workers end.
    """
    try:
        with contextlib.closing(results) if isinstance(results, Generator) else contextlib.nullcontext():
            yield from results
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(reason(f"executor {executor}", error)) from error
