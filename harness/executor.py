"""The contract of an executor: it carries out units of work, here or elsewhere, and hands back rows of samples.

A unit is a pass over some planned batches of one dataset for some cells of one model. It is plain data and can be
pickled: `harness.engine.predict.run_unit` carries one out in any process that can import the plugins. An executor that
hands every unit to that function, and its rows back to the caller, is complete::

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
    """Carries out units of work."""

    @abstractmethod
    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        """Carry out the units, in any order.

        Yields:
            the rows of one planned batch of one cell, whole, as soon as they are there.

        Args:
            units: what to do.
            settings: device, precision, workers.
            progress: takes progress and warnings.
        """
