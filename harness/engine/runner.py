"""Runs a plan: skips finished experiments, claims the others, and continues those that were interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.engine.finish import Finisher
from harness.engine.found import too_many_failures
from harness.engine.heartbeat import Heartbeat
from harness.engine.trainer import Trainer
from harness.engine.worker import reason
from harness.errors import HarnessError, PluginError, StoreError
from harness.keep.processes import describe
from harness.media.levers import drops_frames
from harness.planning.batches import outlines, plan_batches
from harness.planning.phases import draw_phases
from harness.records import Claim, SampleRow, State
from harness.unit import Settings, Todo, Unit

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.planning.plan import Pass, Plan
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell

__all__ = ["Outcome", "Runner"]

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
        try:
            with Heartbeat(self.store, self.claim, self.progress):
                waiting = [p for p in plan.passes if not self._attempt(p)]
                while waiting:
                    time.sleep(POLL_SECONDS)
                    waiting = [p for p in waiting if not self._attempt(p)]
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
        done = {*self.outcome.found, *self.outcome.finished, *self.outcome.failed, *self.outcome.elsewhere}
        open_cells = [cell for cell in a_pass.cells if cell.experiment.key not in done]
        if not open_cells:
            return True
        experiments = [cell.experiment for cell in open_cells]
        obtained = self.store.claim([e.key for e in experiments], self.claim)
        self._claimed |= obtained
        if obtained:
            self._work(a_pass, [cell for cell in open_cells if cell.experiment.key in obtained])
        others = [e for e in experiments if e.key not in obtained]
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

    def _work(self, a_pass: Pass, cells: Sequence[Cell]) -> None:
        """Compute claimed cells of one pass: train if necessary, run missing batches, and finish the experiments."""
        subject = a_pass.subject
        if a_pass.job is not None:
            try:
                label = f"{subject.task.name}, {cells[0].experiment.training.label}"
                subject = replace(subject, weights=self.trainer.weights(a_pass.job, label))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a model fails its cells, and is recorded
                self._fail(cells, reason("training", error))
                return
        known = outlines(subject.dataset, subject.indices)
        phases = draw_phases(known) if any(drops_frames(cell.codec) for cell in cells) else {}
        batches = plan_batches(known, subject.model.prepared_shape, subject.batch)
        done = {cell.experiment.key: self.store.done(cell.experiment.key) for cell in cells}
        for cell in cells:
            if kept := len(done[cell.experiment.key]):
                self.progress.resumed(cell.experiment, kept)
        todo = []
        for batch in batches:
            unfinished = tuple(n for n, c in enumerate(cells) if not done[c.experiment.key].issuperset(batch.indices))
            if unfinished:
                todo.append(Todo(batch, unfinished))
        reference = cells[0].experiment.reference == "predictions"
        unit = Unit(subject, tuple(cells), tuple(todo), reference, phases)
        try:
            if todo:
                self._collect(self._guarded(self.executor.run([unit], self.settings, self.progress)), done)
        except StoreError:
            raise  # no results can be written any more, so the run ends; the next run continues it
        except HarnessError as error:
            self._fail(cells, str(error))
            return
        self._finish(unit)

    def _guarded(self, results: Iterable[Sequence[SampleRow]]) -> Iterator[Sequence[SampleRow]]:
        """Yield the executor's rows; turn errors of the executor, or of plugins that it calls, into a PluginError."""
        try:
            yield from results
        except HarnessError:
            raise
        except Exception as error:
            raise PluginError(reason(f"executor {self.executor.name}", error)) from error

    def _collect(self, results: Iterable[Sequence[SampleRow]], done: dict[str, set[int]]) -> None:
        """Write rows to the store, in chunks of whole batches.

        Args:
            results: the rows, one batch of one cell at a time.
            done: experiment key -> the indices of the samples that the store already has.
        """
        chunk: list[SampleRow] = []
        written = time.monotonic()
        try:
            for rows in results:
                # If an earlier run left a batch incomplete (for example, a failed sample is computed again), the whole
                # batch is predicted again, so that its results are the same. Only the missing rows are written.
                missing = [row for row in rows if row.index not in done[row.key]]
                chunk += missing
                for row in missing:
                    self.progress.advanced(row.key, 1, int(row.status == "failed"))
                    self.finisher.see(row)
                if len(chunk) >= CHUNK_ROWS or time.monotonic() - written > CHUNK_SECONDS:
                    # The chunk is emptied first, so that an interruption after the transaction cannot write it twice.
                    full_chunk, chunk = chunk, []
                    self.store.write(full_chunk, self.claim)
                    written = time.monotonic()
        finally:
            if chunk:
                self.store.write(chunk, self.claim)

    def _finish(self, unit: Unit) -> None:
        for cell in unit.cells:
            key = cell.experiment.key
            self.progress.status(f"computing intervals of {cell.experiment.label}")
            try:
                result = self.finisher.finish(unit.subject, cell, self.claim, self.max_failures)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - an error of a task fails the experiment, and is recorded
                self._fail([cell], reason(f"task {unit.subject.task.name}", error))
                continue
            self._claimed.discard(key)
            self.finisher.compare(unit.subject.task, [cell.experiment])
            if result.failed:
                self.outcome.failed[key] = result.failed
            else:
                self.outcome.finished.append(key)
            self.progress.finished(cell.experiment, result.totals, result.metrics)
        self.progress.status("")

    def _fail(self, cells: Sequence[Cell], reason: str) -> None:
        keys = [cell.experiment.key for cell in cells]
        self.store.release(keys, self.claim, "failed", reason)
        self._claimed -= set(keys)
        self.outcome.failed.update(dict.fromkeys(keys, reason))
        self.progress.warning(reason)
