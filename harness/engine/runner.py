"""Runs a plan: skips finished experiments, claims the others, and continues those that were interrupted."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.engine.finish import Finisher
from harness.engine.finishing import Finishing
from harness.engine.heartbeat import Heartbeat
from harness.engine.stages import StageSeconds
from harness.engine.trainer import Trainer
from harness.engine.work import Work, known_parts, plan_work
from harness.errors import HarnessError, PluginError, StoreError
from harness.keep.processes import describe
from harness.records import Claim, SampleRow, State
from harness.unit import RowBatch, Settings
from harness.workers.nursery import open_nursery
from harness.workers.preparing import reason

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.planning.plan import Pass, Plan
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell

__all__ = ["Outcome", "Runner", "too_many_failures"]

CHUNK_ROWS = 1000
CHUNK_SECONDS = 5.0
POLL_SECONDS = 2.0


@dataclass
class Outcome:
    """The outcome of a run.

    Args:
        found: the keys of experiments that were finished before the run.
        finished: the keys of experiments that this run finished.
        failed: key of a failed experiment -> reason.
        elsewhere: the keys of experiments that another run finished meanwhile.
    """

    found: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


class Runner:
    """Runs a plan and writes its results to a store.

    Args:
        store: the store, opened for writing.
        executor: runs the units of work.
        settings: device, precision, numbers of workers and threads.
        claim: the claim of this process.
        progress: receives progress and warnings.
        finisher: computes an experiment's results from its rows.
        max_failures: the number of failed samples up to which an experiment still counts as finished.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        settings: Settings,
        claim: Claim,
        progress: Progress,
        finisher: Finisher,
        max_failures: int = 0,
    ) -> None:
        self.store = store
        self.executor = executor
        self.settings = settings
        self.claim = claim
        self.progress = progress
        self.finisher = finisher
        self.max_failures = max_failures
        self.trainer = Trainer(store, settings, progress, claim.run)
        self.outcome = Outcome()
        self._claimed: set[str] = set()
        self._seconds = StageSeconds()
        self._passes: Sequence[Pass] = ()
        self._ahead: Work | None = None

    def run(self, plan: Plan) -> Outcome:
        """Compute all experiments that the database does not have, and wait for those that another run has claimed.

        Raises:
            KeyboardInterrupt: the user interrupted the run. The computed rows have been written and the claims have
                been given up.
        """
        # Finished experiments are registered too, because their baseline may be new in this plan.
        self.store.register(plan.experiments, self.claim.run)
        states = self.store.states([e.key for e in plan.experiments])
        self.outcome.found = [key for key, state in states.items() if state.status == "finished"]
        self.progress.planned(plan.experiments, self.outcome.found)
        self._passes = plan.passes
        try:
            with contextlib.ExitStack() as stack:
                # Processes are forked before there are threads.
                apart = self.settings.workers > 0 and len(self.outcome.found) < len(plan.experiments)
                if apart:
                    stack.enter_context(open_nursery(known_parts(plan)))
                self._finishing = stack.enter_context(contextlib.closing(Finishing(plan, self.finisher, apart)))
                stack.enter_context(contextlib.closing(self.executor))
                stack.enter_context(Heartbeat(self.store, self.claim, self.progress))
                waiting = [p for p in plan.passes if not self._attempt(p)]
                while waiting:
                    self._finish(wait=True)
                    waiting = [p for p in waiting if not self._attempt(p)]
                    if waiting:
                        time.sleep(POLL_SECONDS)
                self._finish(wait=True)
                for a_pass in plan.passes:
                    self.finisher.compare(a_pass.subject.task, [cell.experiment for cell in a_pass.cells])
                for a_pass in plan.passes:
                    self.finisher.recover(a_pass.subject.task, [cell.experiment for cell in a_pass.cells])
        except BaseException as error:
            try:
                self.store.release(sorted(self._claimed), self.claim, "interrupted")
            except StoreError as second:
                error.add_note(f"The claims could not be given up either, and will lapse: {second}")
            raise
        self.outcome.failed.update(too_many_failures(states, self.max_failures))
        return self.outcome

    def _attempt(self, a_pass: Pass) -> bool:
        """Compute the experiments of a pass that can be claimed; return whether the whole pass is done."""
        open_cells = self._open(a_pass)
        if not open_cells:
            return True
        if self._ahead is not None and self._ahead.a_pass is a_pass:
            work, self._ahead = self._ahead, None
        else:
            work = self._claim(a_pass, open_cells)
        if work.cells:
            self._work(work)
        others = [cell.experiment for cell in open_cells if cell not in work.cells]
        owners = []
        states = self.store.states([e.key for e in others])
        for experiment in others:
            state = states.get(experiment.key, State("interrupted"))
            if state.status == "finished":
                self.outcome.elsewhere.append(experiment.key)
            elif state.status == "failed":
                self.outcome.failed[experiment.key] = state.reason or "failed in another run"
            else:
                owners.append(state.owner or "another run")
        self.progress.status(f"waiting for {len(owners)} experiments held by {describe(owners[0])}" if owners else "")
        return not owners

    def _open(self, a_pass: Pass) -> list[Cell]:
        """Return the cells of a pass that are neither done nor about to be finished."""
        done = {*self.outcome.found, *self.outcome.finished, *self.outcome.failed, *self.outcome.elsewhere}
        done |= self._finishing.keys
        return [cell for cell in a_pass.cells if cell.experiment.key not in done]

    def _claim(self, a_pass: Pass, open_cells: Sequence[Cell]) -> Work:
        """Claim what can be claimed of a pass, and plan its batches."""
        obtained = self.store.claim([cell.experiment.key for cell in open_cells], self.claim)
        self._claimed |= obtained
        return plan_work(a_pass, [cell for cell in open_cells if cell.experiment.key in obtained], self.store)

    def _look_ahead(self, a_pass: Pass) -> None:
        """Let the executor begin with the pass after this one. A pass that has to be trained first is not begun."""
        after = self._passes[self._passes.index(a_pass) + 1 :]
        following = next((other for other in after if self._open(other)), None)
        if following is not None and following.job is None:
            work = self._claim(following, self._open(following))
            if work.unit.todo:
                self.executor.prepare(work.unit, self.settings)
            self._ahead = work if work.cells else None

    def _work(self, work: Work) -> None:
        """Compute claimed cells of one pass: train if necessary, and run missing batches."""
        subject, cells, unit = work.a_pass.subject, work.cells, work.unit
        for cell in cells:
            if kept := len(work.done[cell.experiment.key]):
                self.progress.resumed(cell.experiment, kept)
        if work.a_pass.job is not None:
            try:
                label = f"{subject.task.name}, {cells[0].experiment.training.label}"
                subject = replace(subject, weights=self.trainer.weights(work.a_pass.job, label))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a model fails its cells, and is recorded
                self._fail(cells, reason("training", error))
                return
            unit = replace(unit, subject=subject)
        try:
            if unit.todo:
                results = self.executor.run([unit], self.settings, self.progress)
                with contextlib.closing(self._guarded(results)) as guarded:
                    self._collect(work, guarded)
        except StoreError:
            raise  # no results can be written any more, so the run ends; the next run continues it
        except HarnessError as error:
            self._fail(cells, str(error))
            return
        self._finishing.add(subject, cells)
        self._finish(wait=not self._finishing.apart)

    def _guarded(self, results: Iterable[Sequence[SampleRow]]) -> Generator[Sequence[SampleRow]]:
        """Yield the executor's rows; turn errors of the executor, or of plugins that it calls, into a PluginError.

        At the end, and when the run is interrupted, the executor's generator is closed, so that its workers end.
        """
        try:
            with contextlib.closing(results) if isinstance(results, Generator) else contextlib.nullcontext():
                yield from results
        except HarnessError:
            raise
        except Exception as error:
            raise PluginError(reason(f"executor {self.executor.name}", error)) from error

    def _collect(self, work: Work, results: Iterable[Sequence[SampleRow]]) -> None:
        """Write rows to the store, in chunks of whole batches.

        When only the rows of batches are missing that the workers have begun, the next pass is begun.

        Args:
            work: the claimed cells.
            results: the rows, one batch of one cell at a time.
        """
        chunk: list[SampleRow] = []
        written = time.monotonic()
        missing_rows = work.unit.size
        begun = self.settings.workers * work.unit.subject.batch * len(work.cells)
        try:
            for rows in results:
                # If an earlier run left a batch incomplete (for example, a failed sample is computed again), the whole
                # batch is predicted again, so that its results are the same. Only the missing rows are written.
                if isinstance(rows, RowBatch):
                    self._seconds.add(rows.key, rows.seconds)
                missing = [row for row in rows if row.index not in work.done[row.key]]
                missing_rows -= len(rows)
                if missing_rows <= begun and self._ahead is None:
                    begun = -1  # once
                    self._look_ahead(work.a_pass)
                chunk += missing
                for row in missing:
                    self.progress.advanced(row.key, 1, int(row.status == "failed"))
                    self.finisher.see(row)
                if len(chunk) >= CHUNK_ROWS or time.monotonic() - written > CHUNK_SECONDS:
                    # The chunk is emptied first, so that an interruption after the transaction cannot write it twice.
                    full_chunk, chunk = chunk, []
                    self._write(full_chunk)
                    written = time.monotonic()
                    self._finish()
        finally:
            if chunk:
                self._write(chunk)

    def _write(self, rows: Sequence[SampleRow]) -> None:
        """Write rows to the store. Each experiment is charged its share of the time."""
        started = time.perf_counter()
        self.store.write(rows, self.claim)
        share = (time.perf_counter() - started) / len(rows)
        for key, count in Counter(row.key for row in rows).items():
            self._seconds.add(key, {"write": count * share})

    def _finish(self, wait: bool = False) -> None:
        """Write the results of experiments whose rows are complete and whose metrics are computed.

        Args:
            wait: whether to wait until all are computed.
        """
        if wait and (keys := self._finishing.keys):
            self.progress.status(f"computing intervals of {len(keys)} experiments")
        for ready in self._finishing.ready(wait):
            cell, key = ready.cell, ready.cell.experiment.key
            if isinstance(ready.calculated, StoreError):
                raise ready.calculated
            if isinstance(ready.calculated, Exception):
                self._fail([cell], reason(f"task {ready.subject.task.name}", ready.calculated))
                continue
            started = time.perf_counter()
            result = self.finisher.write(cell, self.claim, self.max_failures, ready.calculated)
            self._seconds.add(key, {"finish": ready.seconds + time.perf_counter() - started})
            self._claimed.discard(key)
            if result.failed:
                self.outcome.failed[key] = result.failed
            else:
                self.outcome.finished.append(key)
            self.progress.finished(cell.experiment, result.totals, result.metrics)
        if wait:
            self.progress.status("")

    def _fail(self, cells: Sequence[Cell], reason: str) -> None:
        keys = [cell.experiment.key for cell in cells]
        self.store.release(keys, self.claim, "failed", reason)
        self._claimed -= set(keys)
        self.outcome.failed.update(dict.fromkeys(keys, reason))
        self.progress.warning(reason)


def too_many_failures(states: Mapping[str, State], allowed: int) -> dict[str, str]:
    """Return the finished experiments that have more failed samples than are allowed now: key -> reason.

    Such experiments were finished by a run that allowed more failures.
    """
    return {
        key: f"{state.failed} of {state.samples} samples failed (allowed: {allowed})"
        for key, state in states.items()
        if state.status == "finished" and state.failed > allowed
    }
