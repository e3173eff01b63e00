"""Finishes experiments while the run goes on: a process of its own computes, this one reads and writes the database.

The process comes from the run's nursery, as the workers do, so it has neither threads nor a device. It gets an
experiment's statistics as the bytes in which they are stored, and gives back metrics and drops. It touches neither the
database nor the device. Without worker processes, and where processes are not forked, everything is computed here, when
it is asked for.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from harness.batches.start import plugin_errors, quiet_signals
from harness.errors import PluginError
from harness.finish.metrics import Calculated, Calculator, Samples
from harness.keep.processes import how_ended
from harness.workers.children import OwnChild
from harness.workers.nursery import Child, start_process
from harness.workers.transport import portable

if TYPE_CHECKING:
    from harness.finish.finisher import Finisher
    from harness.planning.plan import Plan
    from harness.unit import Cell, Subject

__all__ = ["Finishing", "Ready"]


@dataclass(frozen=True)
class Ready:
    """An experiment whose results are computed.

    Args:
        subject: task, model and dataset.
        cell: the cell.
        calculated: its results, or why there are none.
        seconds: how long it took to compute them.
    """

    subject: Subject
    cell: Cell
    calculated: Calculated | Exception
    seconds: float


@dataclass(frozen=True)
class _Job:
    """The statistics of one experiment, and those of its baseline if the process does not have its resamples yet."""

    key: str
    samples: Samples
    baseline: tuple[str, Samples] | None
    lossless: bool


class Finishing:
    """The experiments whose rows are complete, until their results are computed.

    Args:
        plan: the plan that is run.
        finisher: reads the statistics.
        apart: whether to compute in a process of its own, where processes are forked.
    """

    def __init__(self, plan: Plan, finisher: Finisher, apart: bool) -> None:
        self._finisher = finisher
        self._cells = {cell.experiment.key: (p.subject, cell) for p in plan.passes for cell in p.cells}
        self._queue: deque[tuple[Subject, Cell]] = deque()
        self._baseline: str | None = None
        self._calculator = Calculator(finisher.resamples, finisher.seed)
        self._partner: tuple[Connection, Child | OwnChild] | None = None
        self._busy = False
        if apart and sys.platform == "linux":
            self._start()

    @property
    def apart(self) -> bool:
        """Whether a process of its own computes, so that nobody need wait."""
        return self._partner is not None

    @property
    def keys(self) -> set[str]:
        """The keys of the experiments that are not computed yet."""
        return {cell.experiment.key for _, cell in self._queue}

    def add(self, subject: Subject, cells: Sequence[Cell]) -> None:
        """Add experiments whose rows are complete."""
        self._queue.extend((subject, cell) for cell in cells)

    def ready(self, wait: bool = False) -> Iterator[Ready]:
        """Yield the experiments whose results are computed.

        Args:
            wait: whether to wait until all are computed.
        """
        while self._queue:
            if self._partner is None:
                if not wait:
                    return
                yield self._compute_here()
                continue
            connection = self._partner[0]
            if not self._busy:
                self._send(self._job(*self._queue[0]))
                if not self._busy:
                    yield self._lost()
                continue
            if not wait and not connection.poll():
                return
            yield self._received(connection)

    def close(self) -> None:
        """End the process. What it was computing is lost; the next run computes it from the stored statistics."""
        if self._partner is not None:
            self._end()

    def _start(self) -> None:
        """Start the process. Where it cannot be started, everything is computed here."""
        self._busy, self._baseline = False, None
        try:
            self._partner = start_process(compute, (self._cells, self._finisher.resamples, self._finisher.seed))
        except (EOFError, OSError) as error:
            self._partner = None
            self._finisher.progress.warning(f"intervals are computed in the main process: {error}")

    def _end(self) -> int | None:
        """End the process; return how it ended."""
        assert self._partner is not None
        connection, process = self._partner
        self._partner = None
        connection.close()
        process.kill()
        return process.ended()

    def _send(self, job: _Job) -> None:
        """Send a job; if the process died while it had nothing to do, another one takes its place and gets it."""
        for last in (False, True):
            if self._partner is None:
                return
            try:
                self._partner[0].send(job)
            except OSError:
                if last:
                    return
                self._end()
                self._start()
                job = self._job(*self._queue[0])  # the new process knows no baseline
            else:
                self._busy = True
                return

    def _job(self, subject: Subject, cell: Cell) -> _Job:
        """Read the statistics of an experiment, and of its baseline if they are not known."""
        experiment = cell.experiment
        samples = self._finisher.samples(experiment.key)
        baseline = None
        if experiment.baseline not in (None, self._baseline):
            states = self._finisher.store.states([experiment.baseline])
            if (state := states.get(experiment.baseline)) is not None and state.status == "finished":
                baseline = (experiment.baseline, self._finisher.samples(experiment.baseline))
                self._baseline = experiment.baseline
        if cell.exact and experiment.baseline is None:
            self._baseline = experiment.key
        return _Job(experiment.key, samples, baseline, self._finisher.is_lossless(experiment))

    def _received(self, connection: Connection) -> Ready:
        subject, cell = self._queue.popleft()
        self._busy = False
        try:
            calculated, seconds = connection.recv()
        except (EOFError, OSError):
            self._queue.appendleft((subject, cell))
            return self._lost()
        return Ready(subject, cell, calculated, seconds)

    def _lost(self) -> Ready:
        """Give up the first experiment, whose process has died, and start another process."""
        subject, cell = self._queue.popleft()
        how = "cannot be started" if self._partner is None else how_ended(self._end())
        self._start()
        return Ready(subject, cell, PluginError(f"the process that computes its metrics {how}"), 0.0)

    def _compute_here(self) -> Ready:
        subject, cell = self._queue[0]
        job = self._job(subject, cell)
        self._queue.popleft()
        return Ready(subject, cell, *_computed(self._calculator, subject, cell, job))


def compute(given: tuple[Mapping[str, tuple[Subject, Cell]], int, int], connection: Connection) -> None:
    """Be the process that computes: take what comes, until the other side hangs up.

    Args:
        given: the subject and the cell of each experiment, by its key; the number of resamples; their seed.
        connection: this process's end of its pipe.
    """
    quiet_signals()
    cells, resamples, seed = given
    calculator = Calculator(resamples, seed)
    try:
        while True:
            job = connection.recv()
            connection.send(_computed(calculator, *cells[job.key], job))
    except (EOFError, OSError):
        return


def _computed(calculator: Calculator, subject: Subject, cell: Cell, job: _Job) -> tuple[Calculated | Exception, float]:
    """Compute the results of an experiment; return an error of its task as a value."""
    started = time.perf_counter()
    try:
        if job.baseline is not None:
            calculator.keep_baseline(subject.task, *job.baseline)
        calculated: Calculated | Exception = calculator.calculate(subject, cell, job.samples, job.lossless)
    except plugin_errors() as error:  # an error of a task fails the experiment, and is recorded
        calculated = portable(error)
    return calculated, time.perf_counter() - started
