"""Two passes in a row: the second begins before the first ends, and what was begun in vain leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.engine.outcome import Outcome
from harness.engine.runner import Runner
from harness.finish.finisher import Finisher
from harness.model import Weights
from harness.planning.plan import Pass, Plan
from harness.progress import Progress, Silence
from harness.records import Claim, SampleRow
from harness.unit import Settings, Unit
from harness_plugins.local_executor import Local
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO
from kit.units import SETTINGS, Brightness, Numbered, unit


class Watched(Local):
    """Notes what is begun ahead, and how many rows had come by then."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.begun: list[tuple[str, int]] = []

    def prepare(self, unit: Unit, settings: Settings) -> None:
        self.begun.append((unit.subject.dataset_name, self.rows))
        super().prepare(unit, settings)

    def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
        for batch in super().run(units, settings, progress):
            self.rows += len(batch)
            yield batch


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(str(tmp_path / "a.db"))
    opened.open()
    with closing(opened):
        yield opened
    assert not multiprocessing.active_children()
    assert threading.active_count() == 1


def two_passes(second: Unit) -> Plan:
    first = unit(20)
    cells = tuple(
        replace(cell, experiment=replace(cell.experiment, key=cell.experiment.key[::-1], baseline=None))
        for cell in second.cells
    )
    subject = replace(second.subject, dataset_name="second")
    return Plan((Pass(first.subject, first.cells), Pass(subject, cells)), ())


def run(plan: Plan, store: SqlStore, executor: Local, settings: Settings = SETTINGS) -> Outcome:
    number = store.begin_run(INFO)
    finisher = Finisher(store, Silence(), installed(), number, 100)
    return Runner(store, executor, settings, Claim(f"here {number}", number), Silence(), finisher).run(plan)


def test_the_second_pass_begins_when_the_workers_have_begun_the_last_batches(store: SqlStore) -> None:
    executor = Watched()
    outcome = run(two_passes(unit(20)), store, executor)
    assert len(outcome.finished) == 6
    ((name, rows),) = executor.begun
    assert name == "second"
    assert 60 - 2 * 2 * 3 <= rows < 60


def test_a_second_pass_that_cannot_be_run_costs_its_cells_alone(store: SqlStore) -> None:
    class Unfit(Brightness):
        def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
            raise ValueError("no such layer")

    outcome = run(two_passes(unit(20, Unfit())), store, Watched())
    assert len(outcome.finished) == 3
    assert len(outcome.failed) == 3
    assert "no such layer" in next(iter(outcome.failed.values()))


def test_a_pass_that_cannot_be_begun_ahead_is_run_when_it_is_its_turn(store: SqlStore) -> None:
    class Refusing(Watched):
        def prepare(self, unit: Unit, settings: Settings) -> None:
            raise OSError("no room for another process")

    assert len(run(two_passes(unit(20)), store, Refusing()).finished) == 6


def test_a_slow_store_is_named(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.device.device.UNWRITTEN", 4)
    monkeypatch.setattr("harness.device.device.HELD_ROWS", 1)
    monkeypatch.setattr("harness.workers.process.HELD_ROWS", 1)
    monkeypatch.setattr("harness.engine.collecting.CHUNK_ROWS", 1)
    write = store.write

    def slowly(rows: Sequence[SampleRow], claim: Claim) -> None:
        time.sleep(0.03)
        write(rows, claim)

    monkeypatch.setattr(store, "write", slowly)
    run(two_passes(unit(20)), store, Watched())
    columns, rows = store.view("profile")
    assert {row[columns.index("bottleneck")] for row in rows} == {"store"}


def test_the_seconds_of_references_count(store: SqlStore) -> None:
    def slow(batch: Any) -> list[list[Any]]:
        time.sleep(0.05)
        return [[0.5] for _ in batch]

    plan = two_passes(unit(4, Brightness(slow), reference=True))
    run(replace(plan, passes=plan.passes[1:]), store, Watched())
    columns, rows = store.view("profile")
    # Two batches for each of two levels, and two of uncompressed frames.
    assert sum(row[columns.index("predict_seconds")] for row in rows) >= 6 * 0.05


def test_rows_that_the_store_has_already_are_no_error(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.engine.collecting.CHUNK_SECONDS", 0.0)

    class Twice(Watched):
        def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
            for batch in super().run(units, settings, progress):
                yield batch
                yield batch

    assert len(run(two_passes(unit(6)), store, Twice()).finished) == 6


@pytest.mark.parametrize("when", [3, 55])
def test_an_interrupted_run_ends_what_was_begun(store: SqlStore, when: int) -> None:
    class Interrupting(Watched):
        def run(self, units: Sequence[Unit], settings: Settings, progress: Progress) -> Iterator[Sequence[SampleRow]]:
            for batch in super().run(units, settings, progress):
                if self.rows >= when:
                    raise KeyboardInterrupt
                yield batch

    plan = two_passes(unit(20))
    with pytest.raises(KeyboardInterrupt):
        run(plan, store, Interrupting())
    outcome = run(plan, store, Watched())
    assert len(outcome.finished) == 6
    _, rows = store.select("select experiment_id, count(*) from samples group by 1")
    assert [count for _, count in rows] == [20] * 6


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stages_of_each_experiment_are_stored(store: SqlStore, workers: int) -> None:
    run(two_passes(unit(20, dataset=Numbered(20, 120, 160))), store, Watched(), Settings("cpu", "fp32", workers, 1))
    columns, rows = store.view("profile")
    assert len(rows) == 6
    for row in rows:
        found = dict(zip(columns, row, strict=True))
        stages = ("read", "encode", "decode", "prepare", "score", "wait", "predict", "write", "finish", "wall")
        assert all(found[f"{stage}_seconds"] > 0 for stage in stages)
        assert found["wall_seconds"] >= found["predict_seconds"]
        assert (found["workers"], found["samples"]) == (workers, 20)
        assert 0 < found["busy_share"] < 1
