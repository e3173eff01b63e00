"""Finishes experiments while the run goes on: a process of its own computes, this one reads and writes the database.

The process is forked before the run has threads and before its device is used. It gets an experiment's statistics as
the bytes in which they are stored, and gives back metrics and drops. It touches neither the database nor the device.
Without worker processes, and where processes are not forked, everything is computed here, when it is asked for.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError
from harness.finish.metrics import Calculated, Calculator, Samples
from harness.workers.start import quiet_signals

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
        self._connection: Connection | None = None
        self._process: Any = None
        self._busy = False
        if apart and sys.platform == "linux":
            self._start()

    @property
    def apart(self) -> bool:
        """Whether a process of its own computes, so that nobody need wait."""
        return self._connection is not None

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
            if self._connection is None:
                if not wait:
                    return
                yield self._compute_here()
                continue
            if not self._busy:
                self._connection.send(self._job(*self._queue[0]))
                self._busy = True
            if not wait and not self._connection.poll():
                return
            yield self._received(self._connection)

    def close(self) -> None:
        """End the process. What it was computing is lost; the next run computes it from the stored statistics."""
        if self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._connection = None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, its = context.Pipe()
        self._process = context.Process(target=self._work, args=(its, self._connection), daemon=True)
        self._process.start()
        its.close()

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
        return _Job(experiment.key, samples, baseline)

    def _received(self, connection: Connection) -> Ready:
        subject, cell = self._queue.popleft()
        self._busy = False
        try:
            calculated, seconds = connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
            self._baseline = None
            self._start()
            return Ready(subject, cell, PluginError(f"the process that computes its metrics {how}"), 0.0)
        return Ready(subject, cell, calculated, seconds)

    def _compute_here(self) -> Ready:
        subject, cell = self._queue[0]
        job = self._job(subject, cell)
        self._queue.popleft()
        return Ready(subject, cell, *_computed(self._calculator, subject, cell, job))

    def _work(self, connection: Connection, other: Connection) -> None:
        """The process: compute what comes, until the other side hangs up."""
        other.close()
        quiet_signals()
        try:
            while True:
                job = connection.recv()
                connection.send(_computed(self._calculator, *self._cells[job.key], job))
        except (EOFError, ConnectionError):
            return


def _computed(calculator: Calculator, subject: Subject, cell: Cell, job: _Job) -> tuple[Calculated | Exception, float]:
    """Compute the results of an experiment; return an error of its task as a value."""
    started = time.perf_counter()
    try:
        if job.baseline is not None:
            calculator.keep_baseline(subject.task, *job.baseline)
        calculated: Calculated | Exception = calculator.calculate(subject, cell, job.samples)
    except Exception as error:  # noqa: BLE001 - an error of a task fails the experiment, and is recorded
        calculated = error
    return calculated, time.perf_counter() - started
