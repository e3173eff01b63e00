"""Runs a plan: skips finished experiments, claims the others, and continues those that were interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.engine.again import newly_planned, put_elsewhere
from harness.engine.collecting import Collector, guarded
from harness.engine.heartbeat import Heartbeat
from harness.engine.outcome import Outcome
from harness.engine.probe import fatal_cells
from harness.engine.stages import StageSeconds
from harness.engine.trace import Deaths, deaths, forget, open_trace
from harness.engine.trainer import Trainer
from harness.engine.work import Work, known_parts, label_of, plan_work
from harness.errors import HarnessError, HungModelError, StoreError
from harness.finish.background import Finishing
from harness.finish.finisher import Finisher
from harness.finish.found import altered_told, too_many_failures
from harness.keep.processes import describe
from harness.planning.shards import asked_of
from harness.records import Claim, State
from harness.unit import Settings
from harness.workers.nursery import open_nursery
from harness.workers.preparing import reason

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.planning.plan import Pass, Plan
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell, Unit

__all__ = ["Runner"]

POLL_SECONDS = 2.0


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
        self.trainer = Trainer(store, settings, progress, claim.run, finisher.events)
        self.outcome = Outcome()
        self._claimed: set[str] = set()
        self._seconds = StageSeconds()
        self._passes: Sequence[Pass] = ()
        self._ahead: Work | None = None
        self._deaths: Mapping[str, Deaths] = {}

    def run(self, plan: Plan) -> Outcome:
        """Compute all experiments that the database does not have, and wait for those that another run has claimed.

        Raises:
            KeyboardInterrupt: the user interrupted the run. The computed rows have been written and the claims have
                been given up.
        """
        # Finished experiments are registered too, because their baseline may be new in this plan.
        self.store.register(newly_planned(plan), self.claim.run)
        states = self.store.states([e.key for e in plan.experiments])
        self.outcome.found = [key for key, state in states.items() if state.status == "finished"]
        self.progress.planned(asked_of(plan), self.outcome.found)
        self.outcome.failed.update(altered_told(self.store, plan.experiments, self.progress))
        for experiment in plan.experiments:
            if experiment.key in states and states[experiment.key].status == "finished":
                self.finisher.events.emit("harness_experiment_found", experiment=experiment)
        self._passes = plan.passes
        self._deaths = deaths(states)
        try:
            with contextlib.ExitStack() as stack:
                # Processes are forked before there are threads.
                apart = self.settings.workers > 0 and len(self.outcome.found) < len(plan.experiments)
                if apart or any(known.is_suspect for known in self._deaths.values()):
                    stack.enter_context(open_nursery(known_parts(plan)))
                stack.enter_context(open_trace())
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
                self.finisher.tell()
        except HungModelError as error:
            self._stop(plan, str(error))
        except BaseException as error:
            try:
                self.store.release(sorted(self._claimed), self.claim, "interrupted")
                self._store_seconds(*self._seconds.keys())
            except StoreError as second:
                error.add_note(f"The claims could not be given up either, and will lapse: {second}")
            raise
        self._store_seconds(*self._seconds.keys())
        self.outcome.failed.update(too_many_failures(states, self.max_failures))
        return self.outcome

    def _attempt(self, a_pass: Pass) -> bool:
        """Compute the experiments of a pass that can be claimed; return whether the whole pass is done."""
        self.outcome.elsewhere += put_elsewhere(self._open(a_pass), self.store)
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
                self.finisher.events.emit("harness_experiment_found", experiment=experiment)
            elif state.status == "failed":
                self.outcome.failed[experiment.key] = state.reason or "failed in another run"
            else:
                owners.append(state.owner or "another run")
        self.progress.status(f"waiting for {len(owners)} experiments held by {describe(owners[0])}" if owners else "")
        return not owners

    def _open(self, a_pass: Pass) -> list[Cell]:
        """Return the cells of a pass that are neither done nor about to be finished."""
        outcome = self.outcome
        done = {*outcome.found, *outcome.finished, *outcome.failed, *outcome.interrupted, *outcome.elsewhere}
        done |= outcome.partial.keys() | self._finishing.keys
        return [cell for cell in a_pass.cells if cell.experiment.key not in done]

    def _claim(self, a_pass: Pass, open_cells: Sequence[Cell]) -> Work:
        """Claim what can be claimed of a pass, and plan its batches."""
        obtained = self.store.claim([cell.experiment.key for cell in open_cells], self.claim)
        self._claimed |= obtained
        cells = [cell for cell in open_cells if cell.experiment.key in obtained]
        try:
            if a_pass.job is None:
                cells = self._surviving(a_pass, cells)
            return plan_work(a_pass, cells, self.store)
        except StoreError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a dataset or a model fails its cells, and is recorded
            self._fail(cells, reason("planning the batches", error))
            return plan_work(a_pass, [], self.store)

    def _surviving(self, a_pass: Pass, cells: Sequence[Cell]) -> list[Cell]:
        """Fail the cells that end their process, among those that have ended runs before; return the others."""
        fatal = fatal_cells(a_pass, cells, self._deaths, self.store, self.settings, self.progress)
        for cell in cells:
            if cell.experiment.key in fatal:
                self._fail([cell], fatal[cell.experiment.key])
        return [cell for cell in cells if cell.experiment.key not in fatal]

    def _look_ahead(self, a_pass: Pass) -> None:
        """Let the executor begin with the pass after this one. A pass that has to be trained first is not begun."""
        after = self._passes[self._passes.index(a_pass) + 1 :]
        following = next((other for other in after if self._open(other)), None)
        if following is not None and following.job is None:
            work = self._claim(following, self._open(following))
            self._ahead = work if work.cells else None
            try:
                if work.unit.todo:
                    self.executor.prepare(work.unit, self.settings)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the pass is begun later, and an error that stays fails it then
                self.progress.warning(reason(f"the pass after {a_pass.subject.task.name} was not begun ahead", error))

    def _work(self, work: Work) -> None:
        """Compute claimed cells of one pass: train if necessary, and run missing batches."""
        subject, cells = work.a_pass.subject, work.cells
        for cell in cells:
            if kept := len(work.done[cell.experiment.key]):
                self.progress.resumed(cell.experiment, kept)
        if work.a_pass.job is not None:
            try:
                label = f"{subject.task.name}, {subject.model_name}, {cells[0].experiment.training.label}"
                subject = replace(subject, weights=self.trainer.weights(work.a_pass.job, label))
            except StoreError:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a model fails its cells, and is recorded
                self._fail(cells, reason("training", error))
                return
            work = replace(work, unit=replace(work.unit, subject=subject))
            trained = replace(work.a_pass, subject=subject)
            if len(surviving := self._surviving(trained, cells)) < len(cells):
                work = replace(plan_work(trained, surviving, self.store), a_pass=work.a_pass)
                cells = work.cells
        try:
            self._run(work, work.unit)
            if (left := work.remaining()).todo:
                self._run(work, left)  # an executor that loses rows is asked for them once more
        except StoreError:
            raise  # no results can be written any more, so the run ends; the next run continues it
        except HungModelError as error:
            self._fail([work.unit.cells[n] for n in error.cells], str(error))
            raise  # nothing else can be predicted in this process
        except HarnessError as error:
            self._fail(cells, str(error))
            return
        lost = work.missing()
        self._interrupt([cell for cell in cells if cell.experiment.key in lost], lost)
        complete = [cell for cell in cells if cell.experiment.key not in lost]
        self._leave(work, [cell for cell in complete if not work.is_whole(cell)])
        self._finishing.add(subject, [cell for cell in complete if work.is_whole(cell)])
        self._finish(wait=not self._finishing.apart)

    def _run(self, work: Work, unit: Unit) -> None:
        """Let the executor run a unit, and write its rows.

        When only the rows of batches are missing that the workers have begun, the next pass is begun.
        """
        if not unit.todo:
            return
        begun = unit.size - self.settings.workers * unit.subject.batch * len(work.cells)

        def written(rows: int) -> None:
            nonlocal begun
            if rows >= begun and self._ahead is None:
                begun = unit.size + 1  # once
                self._look_ahead(work.a_pass)
            self._finish()

        collector = Collector(self.store, self.claim, self.progress, self.finisher, self._seconds)
        results = self.executor.run([unit], self.settings, self.progress)
        with contextlib.closing(guarded(results, self.executor.name)) as rows:
            collector.collect(work, rows, written, self.executor.name)

    def _interrupt(self, cells: Sequence[Cell], lost: Mapping[str, set[int]]) -> None:
        """Give up cells of which the executor did not give all rows. The next run continues them."""
        for cell in cells:
            key, label = cell.experiment.key, cell.experiment.label
            count = len(lost[key])
            text = (
                f"executor {self.executor.name} gave no result for {count} of {cell.experiment.samples} samples of "
                f"{label}, and none when it was asked again. The next run asks for them."
            )
            self.store.release([key], self.claim, "interrupted", text)
            self._claimed.discard(key)
            self.outcome.interrupted[key] = text
            self.progress.warning(text)

    def _leave(self, work: Work, cells: Sequence[Cell]) -> None:
        """Give up cells of which this shard of the plan is done. A merge with the other shards completes them."""
        for cell in cells:
            key = cell.experiment.key
            text = f"{len(work.done[key])} of {cell.experiment.samples} samples; the others are in other shards"
            self.store.release([key], self.claim, "partial", text)
            self._claimed.discard(key)
            self._store_seconds(key)
            self.outcome.partial[key] = text

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
            try:
                result = self.finisher.write(cell, self.claim, self.max_failures, ready.calculated)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this experiment costs no other one
                self._fail([cell], reason("writing the results", error))
                continue
            self._seconds.add(key, {"finish": ready.seconds + time.perf_counter() - started})
            self._store_seconds(key)
            self._claimed.discard(key)
            if key in self._deaths:
                forget(key)
            if result.failed:
                self.outcome.failed[key] = result.failed
            else:
                self.outcome.finished.append(key)
            self.progress.finished(cell.experiment, result.totals, result.metrics)
        if wait:
            self.progress.status("")

    def _store_seconds(self, *keys: str) -> None:
        """Store what the stages of experiments took in this run."""
        for key in keys:
            if seconds := self._seconds.take(key):
                self.store.add_stages(key, self.claim.run, {**seconds, "workers": float(self.settings.workers)})

    def _stop(self, plan: Plan, why: str) -> None:
        """Give up all that is not done, because this process can predict no more."""
        text = f"the run stopped: {why}. The next run continues."
        self.store.release(sorted(self._claimed), self.claim, "interrupted", text)
        self._claimed.clear()
        outcome = self.outcome
        done = {*outcome.found, *outcome.finished, *outcome.failed, *outcome.elsewhere, *outcome.partial}
        left = [experiment.key for experiment in plan.experiments if experiment.key not in done]
        outcome.interrupted.update(dict.fromkeys(left, text))
        self.progress.warning(text)

    def _fail(self, cells: Sequence[Cell], reason: str) -> None:
        keys = [cell.experiment.key for cell in cells]
        self.store.release(keys, self.claim, "failed", reason)
        self._claimed -= set(keys)
        self.outcome.failed.update(dict.fromkeys(keys, reason))
        self.progress.warning(f"{label_of(cells)}: {reason}")
