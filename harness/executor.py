"""The interface that every executor implements: carry out work, on this machine or elsewhere, and report what was done.

There are two forms. The simple one gets units of work, and gives rows. A unit is a pass over some planned batches of
one dataset with one model, for some cells (codec, level) of the plan. `harness.engine.predict.run_unit` runs one in any
process that can import the plugins. A complete executor::

    class Inline(Executor):
        name = "inline"
        summary = "one unit after the other in this process"

        def run(self, units, settings, progress):
            for unit in units:
                yield from run_unit(unit, settings, progress)

The harness gives it one unit at a time, and trains in between.

The other form is for executors that do several things at the same time. They get all that is ready, and take what they
have room for: whole passes, shards of a large pass (whole planned batches), trainings. What waits for what (the cells
of a retrained model for its training) is the harness's matter: ask again after each report that is `done`. An executor
with room for one::

    class Serial(Executor):
        name = "serial"
        summary = "one order after the other in this process"

        def work(self, ready, settings, progress):
            while (order := ready.take()) is not None:
                yield from run_order(order, settings, progress)

`harness.engine.orders.run_order` carries an order out in any process. Orders and reports are plain data: they can be
pickled, and a report may come from another process or another machine. What is promised to users holds for whatever an
executor does: rows are held against the plan, those that are missing when an order is done are asked for once more, of
rows that come twice the first count, and rows that nobody asked for are left out.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError, PluginError
from harness.options import Configured

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import Checkpoint, SampleRow
    from harness.unit import RowBatch, Settings, Unit

__all__ = ["Executor", "Order", "Ready", "Report"]


@dataclass(frozen=True)
class Order:
    """Something to do: a unit to predict, or a training. One of the two is there.

    Args:
        number: the order's number in the run, which its reports repeat.
        label: what it is, in words, for messages.
        unit: the unit of work: a pass, or a shard of one.
        job: the training (`harness.training.job.Job`).
    """

    number: int
    label: str
    unit: Unit | None = None
    job: Any = None


@dataclass(frozen=True)
class Report:
    """What was done of an order. An order has any number of reports; the last one is `done`.

    Args:
        order: the order's number.
        rows: all rows of one planned batch of one cell.
        trained: the weights of a training, on a path that the main process can read.
        error: why the order could not be carried out; it fails the order's experiments, and is the last report.
        done: whether the order is done. Rows that have not come by then are asked for once more, by another order.
        place: where it was done, as the executor names its places ("process 2"); "" for the main process.
        device: the torch device ("cuda:1"); "" for that of the run.
    """

    order: int
    rows: RowBatch | Sequence[SampleRow] | None = None
    trained: Checkpoint | None = None
    error: HarnessError | None = None
    done: bool = False
    place: str = ""
    device: str = ""


class Ready(Protocol):
    """What can be done now. It belongs to the thread that iterates over the reports."""

    def take(self, parts: int = 1) -> Order | None:
        """Return the next order, which is the executor's from now on; None if nothing is ready at this time.

        Reports can make more ready: ask again after each one that is `done`.

        Args:
            parts: into how many shards of whole batches a pass is cut that nobody has taken a part of yet. With more
                than one, trainings come first, so that others predict while they go on.

        Raises:
            StoreError: the database cannot be used any more. Let it pass: the run ends.
        """


class Executor(Configured, ABC):
    """Base class of executors. They have `run`, or `work`."""

    def open(self, settings: Settings, known: Sequence[object]) -> None:
        """Get ready for a run, before its first order. Processes are forked now: there are no threads and no device.

        The default does nothing.

        Args:
            settings: device, precision, number of workers.
            known: tasks, models, datasets and codecs that orders will mention, which need to be sent only once.
        """

    def work(self, ready: Ready, settings: Settings, progress: Progress) -> Iterator[Report] | None:
        """Carry out what is ready, until `ready.take` gives nothing and all that was taken is done.

        It is called again when more becomes ready, for instance because another run has given it up.

        Args:
            ready: what can be done.
            settings: device, precision, number of workers.
            progress: receives progress and warnings.

        Returns:
            the reports, as soon as they are there, in any order. None, which is the default, if the executor does one
            thing after the other; then `run` is called.
        """
        return None

    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        """Run the units, in any order. It is called for executors without `work`, with one unit at a time.

        Yields:
            all rows of one planned batch of one cell, as soon as they are computed, in any order of batches. Hand on
            what `run_unit` yields (`harness.unit.RowBatch`), which has the times of the stages too. Rows that are
            missing at the end are asked for once more, by another call.

        Args:
            units: the units of work.
            settings: device, precision, number of workers.
            progress: receives progress and warnings.
        """
        raise PluginError(f"executor {self.name} has neither work nor run.")

    def prepare(self, unit: Unit, settings: Settings) -> None:
        """Begin to work ahead for a unit that will be run next (the same object), while another one is run.

        It is called for executors without `work`. The default does nothing. A unit that was prepared may not be run
        after all.
        """

    def close(self) -> None:
        """End what `open` and `prepare` began. This is called at the end of a run. The default does nothing."""
