"""The executor `local`: runs the units one after the other, in this process and its workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness import hookimpl
from harness.executor import Executor

if TYPE_CHECKING:
    from harness.progress import Progress
    from harness.records import SampleRow
    from harness.unit import Settings, Unit

__all__ = ["Local"]


class Local(Executor):
    """Runs the units one after the other, in this process and its workers."""

    name = "local"
    summary = "this process and its workers, one GPU or the CPU"

    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        from harness.engine.predict import run_unit

        for unit in units:
            yield from run_unit(unit, settings, progress)


@hookimpl
def harness_executors() -> Iterable[type[Executor]]:
    return [Local]
