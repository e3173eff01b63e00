"""Executors that carry out several orders at once: the same rows, whoever computes them, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.discovery.plugins import installed
from harness.engine.orders import run_order
from harness.engine.outcome import Outcome
from harness.engine.runner import Runner
from harness.engine.scheduler import shards
from harness.executor import Executor, Order, Ready, Report
from harness.finish.finisher import Finisher
from harness.planning.plan import Pass, Plan
from harness.progress import Progress, Silence
from harness.records import Claim
from harness.unit import Settings
from harness_plugins.local_executor import Local
from harness_plugins.sql_store import SqlStore
from kit.command import Session
from kit.store_rows import INFO
from kit.units import SETTINGS, Brightness, unit

SAMPLES = "select experiment_id, sample_index, status, bits, squared_error, error from samples order by 1, 2"
STATISTICS = "select experiment_id, sample_index, data from statistics order by 1, 2"
VALUES = "select experiment, metric, value, ci_low, ci_high from metrics order by 1, 2"


class Said(Silence):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(str(tmp_path / "a.db"))
    opened.open()
    with closing(opened):
        yield opened
    assert not multiprocessing.active_children()
    assert threading.active_count() == 1


def plan(count: int = 20, **options: Any) -> Plan:
    """Two passes."""
    first, second = unit(count, **options), unit(count, **options)
    cells = tuple(
        replace(cell, experiment=replace(cell.experiment, key=cell.experiment.key[::-1], baseline=None))
        for cell in second.cells
    )
    return Plan((Pass(first.subject, first.cells), Pass(replace(second.subject, dataset_name="second"), cells)), ())


def run(
    asked: Plan, store: SqlStore, executor: Executor, settings: Settings = SETTINGS, said: Progress | None = None
) -> Outcome:
    number, progress = store.begin_run(INFO), said or Silence()
    finisher = Finisher(store, progress, installed(), number, 100)
    return Runner(store, executor, settings, Claim(f"here {number}", number), progress, finisher).run(asked)


def content(store: SqlStore) -> tuple[Any, ...]:
    """All rows with their statistics, and all metrics."""
    return tuple(store.select(query)[1] for query in (SAMPLES, STATISTICS, VALUES))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    opened = SqlStore(str(tmp_path_factory.mktemp("one") / "a.db"))
    opened.open()
    with closing(opened):
        assert len(run(plan(), opened, Local()).finished) == 6
        return content(opened)


@pytest.mark.parametrize("workers", [0, 2])
def test_two_processes_give_the_rows_of_one(store: SqlStore, undisturbed: tuple[Any, ...], workers: int) -> None:
    outcome = run(plan(), store, Local(processes=2), replace(SETTINGS, workers=workers))
    assert len(outcome.finished) == 6
    assert content(store) == undisturbed
    assert {where.place for places in outcome.places.values() for where in places} == {"process 1", "process 2"}
    for places in outcome.places.values():
        assert {where.device for where in places} == {"cpu"}
        assert sum(places.values()) == 20
    stored = store.places(list(outcome.places))
    assert {(one.run, one.device) for one in stored} == {(1, "cpu")}
    kept = {key: {where.place: rows for where, rows in places.items()} for key, places in outcome.places.items()}
    assert {key: {one.place: one.rows for one in stored if one.experiment == key} for key in kept} == kept


def test_one_process_is_the_place_of_all_its_rows(store: SqlStore) -> None:
    outcome = run(plan(4), store, Local())
    assert [(one.place, one.device, one.rows) for one in store.places(outcome.finished)] == [("", "cpu", 4)] * 6


def test_a_process_that_is_killed_costs_nothing(store: SqlStore, undisturbed: tuple[Any, ...], tmp_path: Path) -> None:
    once = tmp_path / "killed"

    def dies_once(batch: Any) -> list[list[Any]]:
        if not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [[float(image.double().mean())] for image in batch]

    said = Said()
    outcome = run(plan(model=Brightness(dies_once)), store, Local(processes=2), replace(SETTINGS, workers=0), said)
    assert len(outcome.finished) == 6
    assert content(store) == undisturbed
    assert any("was killed by signal 9" in text and "takes its place" in text for text in said.warnings)


def unpickled(text: bytes) -> Any:
    return pickle.loads(text)  # noqa: S301 - it was made here


class Shuffled(Executor):
    """Takes all that is ready, in many parts, sends orders and reports as text, and carries the last one out first."""

    name = "shuffled"
    parts = 7

    def work(self, ready: Ready, settings: Settings, progress: Progress) -> Iterator[Report]:
        while True:
            orders = []
            while (order := ready.take(self.parts)) is not None:
                orders.append(pickle.dumps(order))
            if not orders:
                return
            for text in orders[::-1]:
                for report in self.carried_out(unpickled(text), settings, progress):
                    yield unpickled(pickle.dumps(report))

    def carried_out(self, order: Order, settings: Settings, progress: Progress) -> Iterator[Report]:
        yield from run_order(order, settings, progress)


def test_shards_in_any_order_give_the_same(store: SqlStore, undisturbed: tuple[Any, ...]) -> None:
    outcome = run(plan(), store, Shuffled(), replace(SETTINGS, workers=0))
    assert len(outcome.finished) == 6
    assert content(store) == undisturbed


def test_a_shard_that_is_lost_once_is_asked_for_again(store: SqlStore, undisturbed: tuple[Any, ...]) -> None:
    class Forgets(Shuffled):
        seen = 0

        def carried_out(self, order: Order, settings: Settings, progress: Progress) -> Iterator[Report]:
            self.seen += 1
            if self.seen == 3:
                yield Report(order.number, done=True)
            elif self.seen != 5:  # of the fifth nothing is heard any more
                yield from super().carried_out(order, settings, progress)

    outcome = run(plan(), store, Forgets(), replace(SETTINGS, workers=0))
    assert len(outcome.finished) == 6
    assert content(store) == undisturbed


def test_an_error_of_one_shard_fails_its_pass_alone(store: SqlStore) -> None:
    class Fails(Shuffled):
        def carried_out(self, order: Order, settings: Settings, progress: Progress) -> Iterator[Report]:
            assert order.unit is not None
            if order.unit.subject.dataset_name == "second" and order.unit.todo[0].batch.number:
                raise_in = replace(order, unit=replace(order.unit, subject=replace(order.unit.subject, weights=None)))  # type: ignore[arg-type]
                yield from run_order(raise_in, settings, progress)
            else:
                yield from super().carried_out(order, settings, progress)

    outcome = run(plan(), store, Fails(), replace(SETTINGS, workers=0))
    assert (len(outcome.finished), len(outcome.failed)) == (3, 3)
    assert all("AttributeError" in text for text in outcome.failed.values())


def test_an_executor_that_ends_early_and_strange_reports_are_told(store: SqlStore) -> None:
    class Lazy(Executor):
        name = "lazy"

        def work(self, ready: Ready, settings: Settings, progress: Progress) -> Iterator[Report]:
            yield Report(77, done=True)

    said = Said()
    with pytest.raises(Exception, match="executor lazy ended before it took all that was ready"):
        run(plan(), store, Lazy(), said=said)
    assert said.warnings == ["executor lazy reported on order 77, which is not out."]


def test_an_executor_without_either_form_is_told(store: SqlStore) -> None:
    class Empty(Executor):
        name = "empty"

    outcome = run(plan(), store, Empty())
    assert set(outcome.failed.values()) == {"executor empty has neither work nor run."}


def test_shards_are_whole_batches_in_order() -> None:
    whole = unit(20)  # ten batches of two
    for parts, sizes in ((1, [10]), (3, [3, 3, 4]), (10, [1] * 10), (99, [1] * 10)):
        cut = shards(whole, parts)
        assert [len(part.todo) for part in cut] == sizes
        assert [entry for part in cut for entry in part.todo] == list(whole.todo)


def test_trainings_and_predictions_side_by_side_give_the_same(tmp_path: Path, cache: Path) -> None:
    command = ("run", "--task", "detection", "--codec", "jpeg@15", "--limit", "4", "--resamples", "100")
    recipe = ("--set", "iterations=8", "--set", "batch=1", "--set", "checkpoint=2", "--threads", "1", "--workers", "0")
    command = (*command, *recipe, "--retrain", "15", "--retrain", "clean")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Session(tmp_path / "one", tmp_path / "c1"), Session(tmp_path / "two", tmp_path / "c2")
    one.run(*command)
    told = two.run(*command, "--executor", "local:processes=2")
    assert two.values() == one.values()
    weights = "select key, sha256, loss_curve from checkpoints order by 1"
    assert two.select(weights) == one.select(weights)
    assert "(process 1)" in told.stderr
    assert "(process 2)" in told.stderr
