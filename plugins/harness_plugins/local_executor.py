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
    from harness.workers.pool import Pool

__all__ = ["Local"]


class Local(Executor):
    """Runs the units one after the other, in this process and its workers."""

    name = "local"
    summary = "this process and its workers, one GPU or the CPU"

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._ahead: list[tuple[Unit, Pool]] = []

    def prepare(self, unit: Unit, settings: Settings) -> None:
        from harness.workers.pool import Pool

        if settings.workers:
            self._ahead.append((unit, Pool(unit, settings)))

    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        from harness.engine.predict import run_unit

        for unit in units:
            started = next((pair for pair in self._ahead if pair[0] is unit), None)
            if started is not None:
                self._ahead.remove(started)
            yield from run_unit(unit, settings, progress, started[1] if started else None)

    def close(self) -> None:
        while self._ahead:
            self._ahead.pop()[1].close()


@hookimpl
def harness_executors() -> Iterable[type[Executor]]:
    return [Local]
