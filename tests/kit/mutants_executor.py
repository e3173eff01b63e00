"""A sound executor, which runs units one after the other, and executors that have one fault each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Process
from time import sleep
from typing import Any

from harness.engine.predict import run_unit
from harness.executor import Executor


class SoundExecutor(Executor):
    """Runs units one after the other in this process."""

    name = "kit-inline"
    summary = "one unit after the other in this process"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for unit in units:
            yield from run_unit(unit, settings, progress)


class LosesTheLastUnit(SoundExecutor):
    """Does not wait for its last unit."""

    broken = "no_row_is_lost_or_doubled"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        yield from super().run(units[:-1], settings, progress)


class LosesABatch(SoundExecutor):
    """Loses the first batch of each unit."""

    broken = "rows_are_those_of_run_unit"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for unit in units:
            yield from list(run_unit(unit, settings, progress))[1:]


class GivesRowsTwice(SoundExecutor):
    """Hands the first unit on twice."""

    broken = "no_row_is_lost_or_doubled"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        yield from super().run([*units, *units[:1]], settings, progress)


class GivesForeignRows(SoundExecutor):
    """Gives rows of an experiment that is not asked for."""

    broken = "no_row_is_lost_or_doubled"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            yield batch
            yield replace(batch, rows=tuple(replace(row, key="f" * 64) for row in batch))


class ChangesBits(SoundExecutor):
    """Gives rows with other rates."""

    broken = "rows_are_those_of_run_unit"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            yield replace(batch, rows=tuple(replace(row, bits=row.bits and row.bits // 8) for row in batch))


class LosesStatistics(SoundExecutor):
    """Gives rows without their statistics."""

    broken = "rows_are_those_of_run_unit"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            yield replace(batch, rows=tuple(replace(row, statistics=()) for row in batch))


class MixesSamples(SoundExecutor):
    """Gives each sample the id of the next."""

    broken = "rows_are_those_of_run_unit"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            rows = list(batch)
            ids = [row.id for row in [*rows[1:], rows[0]]]
            yield replace(batch, rows=tuple(replace(row, id=name) for row, name in zip(rows, ids, strict=True)))


class SplitsBatches(SoundExecutor):
    """Gives each row alone."""

    broken = "a_batch_comes_whole"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            yield from (replace(batch, rows=(row,)) for row in batch)


class LosesTimes(SoundExecutor):
    """Gives plain lists, without the times of stages."""

    broken = "a_batch_comes_whole"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        yield from map(list, super().run(units, settings, progress))


class DoesAllCells(SoundExecutor):
    """Does all cells of each batch, also those that are done."""

    broken = "only_what_is_left_is_done"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for unit in units:
            every = tuple(range(len(unit.cells)))
            whole = replace(unit, todo=tuple(replace(todo, cells=every) for todo in unit.todo))
            yield from run_unit(whole, settings, progress)


class GivesAList(SoundExecutor):
    """Gives all rows in the end."""

    broken = "rows_come_while_it_runs"

    def run(self, units: Any, settings: Any, progress: Any) -> Any:
        return list(super().run(units, settings, progress))


class NothingIsSomething(SoundExecutor):
    """Gives a batch though there is nothing to do."""

    broken = "nothing_to_do_gives_nothing"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        yield from super().run(units, settings, progress)
        yield []


class DropsFailures(SoundExecutor):
    """Leaves out rows of samples that failed."""

    broken = "a_failed_sample_costs_no_other"

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        for batch in super().run(units, settings, progress):
            yield replace(batch, rows=tuple(row for row in batch if row.status == "ok"))


class LeavesAProcess(SoundExecutor):
    """Starts a process when it prepares, and does not end it."""

    broken = "it_leaves_nothing_open"

    def prepare(self, unit: Any, settings: Any) -> None:
        Process(target=sleep, args=(6,), daemon=True).start()


class RunsOnce(SoundExecutor):
    """Can run once only."""

    broken = "it_can_be_used_again"
    ran = False

    def run(self, units: Any, settings: Any, progress: Any) -> Iterator[Any]:
        if not self.ran:
            self.ran = True
            yield from super().run(units, settings, progress)


MUTANTS = SoundExecutor.__subclasses__()
