"""Runs a plan: skips finished experiments, claims the others, and continues those that were interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.device.trace import Deaths, deaths, open_trace
from harness.engine.again import newly_planned, put_elsewhere
from harness.engine.claims import Claims
from harness.engine.collecting import Collector, guarded
from harness.engine.concluding import Concluding
from harness.engine.heartbeat import Heartbeat
from harness.engine.noted import Noted
from harness.engine.orders import one_at_a_time
from harness.engine.outcome import Outcome, Worked
from harness.engine.probe import fatal_cells
from harness.engine.scheduler import Claimed, Scheduler
from harness.engine.telling import Telling
from harness.engine.trainer import Trainer
from harness.engine.work import known_parts, plan_work
from harness.errors import HarnessError, HungModelError, PluginError, StoreError
from harness.finish.background import Finishing
from harness.finish.finisher import Finisher
from harness.finish.found import altered_told, too_many_failures
from harness.planning.shards import asked_of
from harness.records import Claim
from harness.unit import Settings
from harness.workers.nursery import open_nursery

if TYPE_CHECKING:
    from harness.executor import Executor, Report
    from harness.model import Weights
    from harness.planning.plan import Pass, Plan
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell

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
        self.trainer = Trainer(store, settings, progress, claim.run)
        self.outcome = Outcome()
        self._claims = Claims(store, claim, progress, self.outcome, finisher.events)
        self._noted = Noted(store, claim.run, settings.workers, self.outcome)
        self._scheduler = Scheduler((), self._claim)
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
        self._scheduler = Scheduler(plan.passes, self._claim)
        self._deaths = deaths(states)
        try:
            with contextlib.ExitStack() as stack:
                # Processes are forked before there are threads.
                apart = self.settings.workers > 0 and len(self.outcome.found) < len(plan.experiments)
                if apart or any(known.is_suspect for known in self._deaths.values()):
                    stack.enter_context(open_nursery(known_parts(plan)))
                stack.callback(self.executor.close)
                self.executor.open(self.settings, known_parts(plan))
                stack.enter_context(open_trace())
                self._finishing = stack.enter_context(contextlib.closing(Finishing(plan, self.finisher, apart)))
                self._concluding = Concluding(
                    *(self._finishing, self.finisher, self.claim, self._claims, self._noted, self.outcome),
                    *(self.progress, self._deaths, self.max_failures),
                )
                stack.enter_context(Heartbeat(self.store, self.claim, self.progress))
                self._round()
                while not all(self._claims.are_settled(self._open(a_pass)) for a_pass in plan.passes):
                    self._concluding.write(wait=True)
                    time.sleep(POLL_SECONDS)
                    self._round()
                self._concluding.write(wait=True)
                for a_pass in plan.passes:
                    self.finisher.compare(a_pass.subject.task, [cell.experiment for cell in a_pass.cells])
                for a_pass in plan.passes:
                    self.finisher.recover(a_pass.subject.task, [cell.experiment for cell in a_pass.cells])
                self.finisher.tell()
        except HungModelError as error:
            self._claims.stop(plan, str(error))
        except BaseException as error:
            try:
                self._claims.release()
                self._noted.store_all()
            except StoreError as second:
                error.add_note(f"The claims could not be given up either, and will lapse: {second}")
            raise
        self._noted.store_all()
        self.outcome.failed.update(too_many_failures(states, self.max_failures))
        return self.outcome

    def _round(self) -> None:
        """Let the executor carry out all that this run can claim."""
        scheduler = self._scheduler
        scheduler.begin()
        while not scheduler.exhausted:
            taken = scheduler.taken
            self._work()
            if not scheduler.exhausted and scheduler.taken == taken:
                raise PluginError(f"executor {self.executor.name} ended before it took all that was ready.")

    def _work(self) -> None:
        """Let the executor work until it ends, and act on its reports."""
        progress = Telling(self.progress, self.finisher.events)
        reports = self.executor.work(self._scheduler, self.settings, progress)
        if reports is None:
            reports = one_at_a_time(self.executor, self._scheduler, self.settings, progress)
        error: HarnessError | None = None
        try:
            with contextlib.closing(guarded(reports, self.executor.name)) as several:
                try:
                    for report in several:
                        self._heard(report)
                finally:
                    self._scheduler.flush()
        except (StoreError, HungModelError):
            raise  # no results can be written, or nothing more be predicted, so the run ends; the next continues it
        except HarnessError as found:
            error = found
        if error is not None and not any(claimed.out for claimed in self._scheduler.claimed()):
            raise error
        for claimed in list(self._scheduler.claimed()):
            if error is not None and claimed.out:
                self._end(claimed, str(error))
            claimed.out.clear()  # the executor has ended, so that of these nothing more will come
            self._look_after(claimed)

    def _heard(self, report: Report) -> None:
        """Act on a report."""
        claimed = self._scheduler.of(report.order)
        if claimed is None:
            self.progress.warning(f"executor {self.executor.name} reported on order {report.order}, which is not out.")
            return
        order = claimed.out[report.order]
        if report.error is not None and not claimed.ended:
            if isinstance(report.error, HungModelError) and order.unit is not None:
                self._end(claimed, str(report.error), [order.unit.cells[n] for n in report.error.cells])
                raise report.error  # nothing else can be predicted in that process
            self._end(claimed, str(report.error))
        elif report.rows is not None and claimed.collector is not None and not claimed.ended:
            claimed.collector.add(report.rows)
            where = Worked(report.place, report.device or self.settings.device)
            self._noted.worked(where, (row.key for row in report.rows if row.key in claimed.work.done))
            self._concluding.write()
        elif report.trained is not None and not claimed.ended:
            self._trained(claimed, self.trainer.keep(order.job, order.label, report.trained))
        if report.done or report.error is not None:
            claimed.out.pop(report.order)
            self._look_after(claimed)

    def _open(self, a_pass: Pass) -> list[Cell]:
        """Return the cells of a pass that are neither done nor about to be finished."""
        done = self.outcome.done() | self._finishing.keys
        return [cell for cell in a_pass.cells if cell.experiment.key not in done]

    def _claim(self, a_pass: Pass) -> Claimed | None:
        """Claim what can be claimed of a pass, and plan its batches; None if there is nothing to do."""
        self.outcome.elsewhere += put_elsewhere(self._open(a_pass), self.store)
        if not (open_cells := self._open(a_pass)):
            return None
        cells = self._claims.obtain(open_cells)
        try:
            if a_pass.job is None:
                cells = self._surviving(a_pass, cells)
            work = plan_work(a_pass, cells, self.store)
        except StoreError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a dataset or a model fails its cells, and is recorded
            self._claims.fail(cells, reason("planning the batches", error))
            return None
        for cell in work.cells:
            if kept := len(work.done[cell.experiment.key]):
                self.progress.resumed(cell.experiment, kept)
        if not work.cells:
            return None
        claimed = Claimed(work)
        if a_pass.job is not None:
            claimed.ask_training(a_pass.job)
            return claimed
        self._ask(claimed)
        if not claimed.is_done:
            return claimed
        self._conclude(claimed)  # all rows are there
        return None

    def _ask(self, claimed: Claimed) -> None:
        """Ask for the rows that are missing."""
        claimed.collector = Collector(
            self.store, self.claim, self.progress, self.finisher, self._noted.seconds, claimed.work, self.executor.name
        )
        claimed.ask(claimed.work.remaining() if claimed.tries else claimed.work.unit)

    def _trained(self, claimed: Claimed, weights: Weights) -> None:
        """Ask for the rows of cells whose training is done."""
        work, a_pass = claimed.work, claimed.work.a_pass
        trained = replace(a_pass, subject=replace(a_pass.subject, weights=weights))
        work = replace(work, unit=replace(work.unit, subject=trained.subject))
        if len(surviving := self._surviving(trained, work.cells)) < len(work.cells):
            work = replace(plan_work(trained, surviving, self.store), a_pass=a_pass)
        claimed.work, claimed.tries = work, 0
        self._ask(claimed)

    def _look_after(self, claimed: Claimed) -> None:
        """If nobody works on cells any more, ask for rows that are missing once more, or let them be finished."""
        if not claimed.is_done:
            return
        if claimed.collector is not None:
            claimed.collector.end()
        lost = claimed.collector is None or claimed.work.remaining().todo
        if lost and not claimed.ended and claimed.tries < 2:  # what an executor loses is asked for once more
            if claimed.collector is None:
                claimed.ask_training(claimed.work.a_pass.job)
            else:
                self._ask(claimed)
            self._scheduler.exhausted = False
            return
        self._scheduler.drop(claimed)
        if claimed.collector is None and not claimed.ended:
            self._claims.fail(claimed.work.cells, f"executor {self.executor.name} gave no weights, twice")
        elif not claimed.ended:
            self._conclude(claimed)

    def _conclude(self, claimed: Claimed) -> None:
        """Let the results of cells be computed whose rows are complete, and give up the others."""
        work, lost = claimed.work, claimed.work.missing()
        self._claims.interrupt([cell for cell in work.cells if cell.experiment.key in lost], lost, self.executor.name)
        complete = [cell for cell in work.cells if cell.experiment.key not in lost]
        for cell in complete:
            if not work.is_whole(cell):
                self._claims.leave(cell, len(work.done[cell.experiment.key]))
                self._noted.store(cell.experiment.key)
        self._finishing.add(work.unit.subject, [cell for cell in complete if work.is_whole(cell)])
        self._concluding.write(wait=not self._finishing.apart)

    def _end(self, claimed: Claimed, why: str, cells: Sequence[Cell] | None = None) -> None:
        """Fail claimed cells, all of them or some; nothing more of their pass is wanted."""
        if claimed.collector is not None:
            claimed.collector.end()
        claimed.end()
        self._claims.fail(claimed.work.cells if cells is None else cells, why)

    def _surviving(self, a_pass: Pass, cells: Sequence[Cell]) -> list[Cell]:
        """Fail the cells that end their process, among those that have ended runs before; return the others."""
        fatal = fatal_cells(a_pass, cells, self._deaths, self.store, self.settings, self.progress)
        for cell in cells:
            if cell.experiment.key in fatal:
                self._claims.fail([cell], fatal[cell.experiment.key])
        return [cell for cell in cells if cell.experiment.key not in fatal]
