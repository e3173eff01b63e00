"""Metrics that a process of its own computes: the same as here, and what dies or raises costs its experiment alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.discovery.plugins import installed
from harness.engine.predict import run_unit
from harness.finish.background import Finishing, Ready
from harness.finish.finisher import Finisher
from harness.finish.metrics import Calculated
from harness.planning.plan import Pass, Plan
from harness.progress import Silence
from harness.records import Claim
from harness.unit import Settings, Unit
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO
from kit.units import Difference, Numbered, unit

MAIN = os.getpid()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(str(tmp_path / "a.db"))
    opened.open()
    with closing(opened):
        yield opened


def computed(work: Unit, store: SqlStore) -> tuple[Plan, Finisher, Claim]:
    """A plan of one pass, whose rows are all in the store."""
    claim = Claim("here", store.begin_run(INFO))
    experiments = [cell.experiment for cell in work.cells]
    store.register(experiments, claim.run)
    store.claim([experiment.key for experiment in experiments], claim)
    for rows in run_unit(work, Settings("cpu", "fp32", 0, 1), Silence()):
        store.write(rows, claim)
    plan = Plan((Pass(work.subject, work.cells),), ())
    return plan, Finisher(store, Silence(), installed(), claim.run, 100), claim


def results(work: Unit, plan: Plan, finisher: Finisher, apart: bool) -> list[Ready]:
    with closing(Finishing(plan, finisher, apart)) as finishing:
        finishing.add(work.subject, work.cells)
        assert len(finishing.keys) == 3
        found = list(finishing.ready(wait=True))
        assert not finishing.keys
    return found


def test_it_computes_what_is_computed_here(store: SqlStore) -> None:
    work = unit(20)
    plan, finisher, _ = computed(work, store)
    here, apart = (results(work, plan, finisher, apart) for apart in (False, True))
    assert [ready.calculated for ready in here] == [ready.calculated for ready in apart]
    first, second, _ = (ready.calculated for ready in here)
    assert isinstance(first, Calculated)
    assert isinstance(second, Calculated)
    assert first.metrics[0].value == pytest.approx(UNCOMPRESSED)
    assert not first.drops
    assert second.drops[0].value == pytest.approx((first.metrics[0].value or 0) - (second.metrics[0].value or 0))


def test_a_baseline_of_an_earlier_run_is_read_again(store: SqlStore) -> None:
    work = unit(20)
    plan, finisher, claim = computed(work, store)
    whole = results(work, plan, finisher, False)
    baseline = whole[0].calculated
    assert isinstance(baseline, Calculated)
    finisher.write(work.cells[0], claim, 0, baseline)
    with closing(Finishing(plan, finisher, True)) as finishing:
        finishing.add(work.subject, work.cells[1:])
        later = list(finishing.ready(wait=True))
    assert all(isinstance(ready.calculated, Calculated) and ready.calculated.drops for ready in later)
    assert [ready.calculated for ready in later] == [ready.calculated for ready in whole[1:]]


class Dying(Difference):
    """Kills the process that computes, or raises, when it sees a resample of compressed images."""

    how = "kill"

    def reduce(self, statistics: Any, weights: Any = None) -> dict[str, np.ndarray]:
        found = super().reduce(statistics, weights)
        if abs(float(found["mean"][0]) - UNCOMPRESSED) > 1e-9 and weights is None:
            if self.how == "raise":
                raise ArithmeticError("no mean")
            if os.getpid() != MAIN:
                os.kill(os.getpid(), signal.SIGKILL)
        return found


UNCOMPRESSED = float(np.mean([Numbered(20)[index].frames.mean() for index in range(20)]))


@pytest.mark.parametrize(
    ("how", "message"),
    [("kill", "the process that computes its metrics was killed by signal 9"), ("raise", "no mean")],
)
def test_what_dies_or_raises_costs_its_experiment(store: SqlStore, how: str, message: str) -> None:
    task = Dying(("light",))
    task.how = how
    work = unit(20, task=task)
    plan, finisher, _ = computed(work, store)
    first, second, third = (ready.calculated for ready in results(work, plan, finisher, True))
    assert isinstance(first, Calculated)
    for failed in (second, third):
        assert isinstance(failed, Exception)
        assert message in str(failed)


class UnsendableError(Exception):
    """Can be pickled, but not made again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class Raising(Difference):
    """Raises an error that cannot travel."""

    def reduce(self, statistics: Any, weights: Any = None) -> dict[str, np.ndarray]:
        raise UnsendableError("no", "sum")


def test_an_error_that_cannot_travel_is_told_all_the_same(store: SqlStore) -> None:
    work = unit(20, task=Raising(("light",)))
    plan, finisher, _ = computed(work, store)
    for ready in results(work, plan, finisher, True):
        assert str(ready.calculated) == "UnsendableError: no sum"


def test_a_process_that_died_while_it_had_nothing_to_do_is_replaced(store: SqlStore) -> None:
    work = unit(20)
    plan, finisher, _ = computed(work, store)
    expected = [ready.calculated for ready in results(work, plan, finisher, False)]
    with closing(Finishing(plan, finisher, True)) as finishing:
        assert finishing._partner is not None
        finishing._partner[1].kill()
        finishing._partner[1].ended()
        finishing.add(work.subject, work.cells)
        assert [ready.calculated for ready in finishing.ready(wait=True)] == expected


def test_nothing_waits_for_a_process_that_computes(store: SqlStore) -> None:
    work = unit(20)
    plan, finisher, _ = computed(work, store)
    with closing(Finishing(plan, finisher, True)) as finishing:
        finishing.add(work.subject, work.cells)
        found: Mapping[str, Ready] = {}
        while finishing.keys:
            found = {**found, **{ready.cell.experiment.key: ready for ready in finishing.ready()}}
    assert list(found) == [cell.experiment.key for cell in work.cells]
