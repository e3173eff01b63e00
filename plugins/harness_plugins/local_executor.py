"""The executor `local`: carries the work out on this machine, in this process or in several side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness import hookimpl
from harness.executor import Executor
from harness.options import Option

if TYPE_CHECKING:
    from harness.engine.crew import Crew
    from harness.executor import Ready, Report
    from harness.progress import Progress
    from harness.records import SampleRow
    from harness.unit import Settings, Unit
    from harness.workers.pool import Pool

__all__ = ["Local"]


class Local(Executor):
    """Carries the work out on this machine: one unit after the other in this process, or several processes at once.

    With several processes each takes shards of passes, and trainings: while one trains, others predict what does not
    wait for it. On CUDA the first has the run's device, and each further one the next GPU. The workers are shared out.
    """

    name = "local"
    summary = "this machine: the CPU or a GPU, or several processes with a GPU each"
    options = (
        Option(
            "processes",
            int,
            1,
            "How many processes predict and train side by side; 0: one for each GPU.",
            minimum=0,
            maximum=1024,
        ),
    )

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._ahead: list[tuple[Unit, Pool]] = []
        self._crew: Crew | None = None

    def open(self, settings: Settings, known: Sequence[object]) -> None:
        from harness.engine.crew import Crew, devices

        places = devices(settings.device, int(self.config["processes"] or 0))
        if len(places) > 1:
            self._crew = Crew(places, settings, known)

    def work(self, ready: Ready, settings: Settings, progress: Progress) -> Iterator[Report] | None:
        return None if self._crew is None else self._crew.work(ready, progress)

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
        if self._crew is not None:
            self._crew.close()
        while self._ahead:
            self._ahead.pop()[1].close()


@hookimpl
def harness_executors() -> Iterable[type[Executor]]:
    return [Local]
