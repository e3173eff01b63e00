"""The interface that every executor implements: run units of work, on this machine or elsewhere, and return rows.

A unit is a pass over some planned batches of one dataset with one model, for some cells (codec, level) of the plan. It
is plain data and can be pickled. `harness.engine.predict.run_unit` runs a unit in any process that can import the
plugins. A complete executor calls that function for every unit and yields the rows::

    class Inline(Executor):
        name = "inline"
        summary = "one unit after the other in this process"

        def run(self, units, settings, progress):
            for unit in units:
                yield from run_unit(unit, settings, progress)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.options import Configured

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import SampleRow
    from harness.unit import Settings, Unit

__all__ = ["Executor"]


class Executor(Configured, ABC):
    """Base class of executors, which run units of work."""

    @abstractmethod
    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        """Run the units, in any order.

        Yields:
            all rows of one planned batch of one cell, as soon as they are computed, in any order of batches. Hand on
            what `run_unit` yields (`harness.unit.RowBatch`), which has the times of the stages too. Rows that are
            missing at the end are asked for once more, by another call.

        Args:
            units: the units of work.
            settings: device, precision, number of workers.
            progress: receives progress and warnings.
        """

    def prepare(self, unit: Unit, settings: Settings) -> None:
        """Begin to work ahead for a unit that will be run next (the same object), while another one is run.

        The default does nothing. A unit that was prepared may not be run after all.
        """

    def close(self) -> None:
        """End what `prepare` began. This is called at the end of a run. The default does nothing."""
