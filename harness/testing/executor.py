"""What every executor promises (`harness.executor.Executor`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.progress import Silence
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, promise
from harness.testing.tools.likeness import alike
from harness.testing.tools.small_world import small_unit
from harness.testing.tools.watch import watched
from harness.unit import Settings

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.records import SampleRow
    from harness.unit import Unit

__all__ = ["ExecutorPromises"]

_TIMES = ("encode_ms", "decode_ms", "seconds")


class ExecutorPromises(ConfiguredPromises):
    """What every executor promises. A class of tests of an executor derives from it::

        from harness.testing import ExecutorPromises

        class TestMyExecutor(ExecutorPromises):
            spec = "my-executor"

    Class attributes:
        workers: the number of worker processes of each unit (`Settings.workers`).
    """

    kind = "executor"
    workers: ClassVar[int] = 1

    @property
    def settings(self) -> Settings:
        """The settings that units are run with."""
        return Settings("cpu", "fp32", self.workers, 1)

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        """An executor, which is closed afterwards."""
        made: Executor = self.make()
        try:
            yield made
        finally:
            made.close()

    def _run(self, units: Sequence[Unit], executor: Executor | None = None) -> list[Sequence[SampleRow]]:
        if executor is not None:
            return list(executor.run(units, self.settings, Silence()))
        with self.executor() as made:
            return list(made.run(units, self.settings, Silence()))

    def test_rows_are_those_of_run_unit(self) -> None:
        """The rows are those that `run_unit` gives in this process, but for the times that they took."""
        from harness.engine.predict import run_unit

        units = [small_unit(0), small_unit(1, batch=4)]
        wanted = _rows(
            batch for unit in units for batch in run_unit(unit, replace(self.settings, workers=0), Silence())
        )
        found = _rows(self._run(units))
        for key, row in wanted.items():
            promise(key in found, f"sample {row.id} of {row.key[:8]} has no row: hand on all that run_unit() yields.")
            promise(
                alike(_told(row), _told(found[key])),
                f"the row of sample {row.id} is {_told(found[key])}, run_unit() gives {_told(row)}: hand rows on as "
                "they are.",
            )

    def test_no_row_is_lost_or_doubled(self) -> None:
        """Each sample of each cell has one row, and nothing else has any."""
        units = [small_unit(0), small_unit(1)]
        places = [(row.key, row.index) for batch in self._run(units) for row in batch]
        asked = {
            (unit.cells[place].experiment.key, index)
            for unit in units
            for todo in unit.todo
            for place in todo.cells
            for index in todo.batch.indices
        }
        promise(not (lost := asked - set(places)), f"{len(lost)} of {len(asked)} rows are lost: wait for all units.")
        promise(set(places) <= asked, "there are rows that were not asked for: hand on rows of these units alone.")
        promise(
            len(places) == len(set(places)),
            f"{len(places) - len(set(places))} rows came twice: hand each batch on once.",
        )

    def test_a_batch_comes_whole(self) -> None:
        """All rows of one planned batch of one cell come together, with the times of their stages."""
        unit = small_unit()
        batches = {todo.batch.indices for todo in unit.todo}
        for batch in self._run([unit]):
            promise(
                tuple(sorted(row.index for row in batch)) in batches and len({row.key for row in batch}) == 1,
                f"rows {[row.index for row in batch]} come together, which are no planned batch of one cell: yield "
                "what run_unit() yields, each as it is.",
            )
            promise(hasattr(batch, "seconds"), "a batch has no `seconds`: yield the RowBatch of run_unit() itself.")

    def test_only_what_is_left_is_done(self) -> None:
        """A unit with some batches and cells left gives the rows of these alone."""
        whole = small_unit()
        part = replace(whole, todo=tuple(replace(todo, cells=(1,)) for todo in whole.todo[1:3]))
        found = sorted(row.index for batch in self._run([part]) for row in batch)
        wanted = sorted(index for todo in part.todo for index in todo.batch.indices)
        promise(found == wanted, f"rows {found} came, asked for were {wanted}: run `unit.todo` only.")

    def test_rows_come_while_it_runs(self) -> None:
        """`run` gives an iterator; the first rows come before the last unit has begun."""
        with self.executor() as made:
            running = made.run([small_unit(number) for number in range(2)], self.settings, Silence())
            promise(
                not isinstance(running, list | tuple) and hasattr(running, "__next__"),
                "run() gives a list: make it a generator, so that rows are stored as they come.",
            )
            next(running)
            getattr(running, "close", lambda: None)()

    def test_nothing_to_do_gives_nothing(self) -> None:
        """No units give no rows."""
        promise(self._run([]) == [], "run() of no units gives rows.")

    def test_a_failed_sample_costs_no_other(self) -> None:
        """A sample that cannot be read has a row with the reason, and all others are well."""
        rows = _rows(self._run([small_unit()])).values()
        failed = {row.index: row.error for row in rows if row.status == "failed"}
        promise(
            set(failed) == {4} and "cannot be read" in str(failed[4]),
            f"failed samples are {failed}: sample 4 alone cannot be read; hand on the row that says so.",
        )

    def test_a_dead_worker_costs_nothing(self) -> None:
        """A worker process that is killed once costs no row."""
        if self.workers == 0:
            broken("`workers` is 0: a worker that dies would take this process with it.")
        with tempfile.TemporaryDirectory() as folder:
            fatal = Path(folder, "died")
            found = _rows(self._run([small_unit(fatal=fatal)]))
            promise(fatal.exists(), "the units were not run in the end: no worker died.")
        promise(
            len(found) == small_unit().size and sum(row.status == "ok" for row in found.values()) == 27,
            f"after a worker died there are {len(found)} rows of {small_unit().size}, "
            f"{sum(row.status == 'ok' for row in found.values())} of 27 well: run again what a dead worker had.",
        )

    def test_it_leaves_nothing_open(self) -> None:
        """After `close`, also of a run that was left in the middle, no process or file is left."""
        self._run([small_unit()])
        with watched(patience=4.0) as left, self.executor() as made:
            ahead = small_unit(2)
            made.prepare(ahead, self.settings)
            running = made.run([small_unit(0), small_unit(1)], self.settings, Silence())
            next(running)
            getattr(running, "close", lambda: None)()
        if left:
            broken(
                f"the executor leaves behind {', '.join(left[:3])}: end in close() what prepare() and run() have begun."
            )

    def test_it_can_be_used_again(self) -> None:
        """A second call of `run` gives the rows that are asked for once more."""
        with self.executor() as made:
            first = _rows(self._run([small_unit()], made))
            again = _rows(self._run([small_unit()], made))
        promise(set(first) == set(again), "a second run() gives other rows: rows that are missing are asked for again.")


def _rows(batches: Iterator[Sequence[SampleRow]] | Sequence[Sequence[SampleRow]]) -> dict[tuple[str, int], SampleRow]:
    return {(row.key, row.index): row for batch in batches for row in batch}


def _told(row: SampleRow) -> dict[str, Any]:
    """All of a row but its times, with its statistics as plain arrays."""
    told = {name: value for name, value in vars(row).items() if name not in (*_TIMES, "statistics")}
    return {**told, "statistics": [dict(one) for one in row.statistics]}
