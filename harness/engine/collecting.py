"""Takes the rows that an executor gives, holds them against what was asked for, and writes them to the store."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

from harness.errors import HarnessError, PluginError
from harness.records import SampleRow
from harness.store import STAGES
from harness.unit import RowBatch
from harness.workers.preparing import reason

if TYPE_CHECKING:
    from harness.engine.stages import StageSeconds
    from harness.engine.work import Work
    from harness.finish.finisher import Finisher
    from harness.progress import Progress
    from harness.records import Claim
    from harness.store import Store

__all__ = ["Collector", "guarded"]

CHUNK_ROWS = 1000
CHUNK_SECONDS = 5.0


class Collector:
    """Writes an executor's rows, in chunks of whole batches.

    An executor may give rows in any order. Of a row that comes twice the first counts. Rows that were not asked for are
    left out. The user is told of both.

    Args:
        store: the store, opened for writing.
        claim: the claim under which the rows are written.
        progress: receives progress and warnings.
        finisher: sees every row.
        seconds: receives the times of the stages.
    """

    def __init__(
        self, store: Store, claim: Claim, progress: Progress, finisher: Finisher, seconds: StageSeconds
    ) -> None:
        self._store = store
        self._claim = claim
        self._progress = progress
        self._finisher = finisher
        self._seconds = seconds
        self._twice = self._foreign = 0

    def collect(
        self, work: Work, results: Iterable[Sequence[SampleRow]], written: Callable[[int], None], executor: str
    ) -> None:
        """Write rows to the store, and note in `work.done` that they are there.

        Args:
            work: the claimed cells.
            results: the rows, one batch of one cell at a time.
            written: called after each batch with the number of rows of whole batches that have come.
            executor: the executor's name, for warnings.
        """
        self._twice = self._foreign = 0
        asked = {key: set(indices) for key, indices in work.missing().items()}
        kept = {key: set(indices) for key, indices in work.done.items()}
        chunk: list[SampleRow] = []
        last, count = time.monotonic(), 0
        try:
            for rows in results:
                if isinstance(rows, RowBatch) and rows.key in kept:
                    self._seconds.add(rows.key, {name: rows.seconds[name] for name in STAGES if name in rows.seconds})
                new = [row for row in rows if self._is_new(row, asked, kept)]
                chunk += new
                count += len(rows)
                for row in new:
                    work.done[row.key].add(row.index)
                    self._progress.advanced(row.key, 1, int(row.status == "failed"))
                    self._finisher.see(row)
                if chunk and (len(chunk) >= CHUNK_ROWS or time.monotonic() - last > CHUNK_SECONDS):
                    # The chunk is emptied first, so that an interruption after the transaction cannot write it twice.
                    full_chunk, chunk = chunk, []
                    self._write(full_chunk)
                    last = time.monotonic()
                written(count)
        finally:
            if chunk:
                self._write(chunk)
        if self._twice:
            self._progress.warning(f"executor {executor} gave {self._twice} rows twice: the first ones count.")
        if self._foreign:
            self._progress.warning(f"executor {executor} gave {self._foreign} rows that were not asked for: left out.")

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


def guarded(results: Iterable[Sequence[SampleRow]], executor: str) -> Generator[Sequence[SampleRow]]:
    """Yield an executor's rows; turn its errors, or those of plugins that it calls, into a PluginError.

    At the end, and when the run is interrupted, the executor's generator is closed, so that its workers end.
    """
    try:
        with contextlib.closing(results) if isinstance(results, Generator) else contextlib.nullcontext():
            yield from results
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(reason(f"executor {executor}", error)) from error
