"""In which order an executor gets what is ready: that of the plan, and trainings first if several work at once."""

from __future__ import annotations

from dataclasses import replace

from harness.engine.scheduler import Claimed, Scheduler
from harness.engine.work import Work
from harness.executor import Order
from harness.planning.plan import Pass
from harness.training.job import Job
from kit.small_training import job
from kit.units import unit


class Taker:
    """Takes orders, and knows of each which pass it belongs to.

    Args:
        jobs: the training of each pass; None for a pass without one.
    """

    def __init__(self, *jobs: Job | None) -> None:
        self.claimed: list[str] = []
        one = unit(8)  # four batches
        self.unit = one
        passes = [
            Pass(replace(one.subject, dataset_name=f"data {number}"), one.cells, training)
            for number, training in enumerate(jobs)
        ]
        self.scheduler = Scheduler(passes, self._claim)
        self.scheduler.begin()

    def _claim(self, a_pass: Pass) -> Claimed:
        self.claimed.append(a_pass.subject.dataset_name)
        work = Work(a_pass, a_pass.cells, replace(self.unit, subject=a_pass.subject), {})
        claimed = Claimed(work)
        if a_pass.job is not None:
            claimed.ask_training(a_pass.job)
        else:
            claimed.ask(work.unit)
        return claimed

    def take(self, parts: int) -> tuple[str, Order]:
        """An order in words: the pass, and how many batches it has, or that it is a training."""
        order = self.scheduler.take(parts)
        assert order is not None
        claimed = self.scheduler.of(order.number)
        assert claimed is not None
        what = "training" if order.unit is None else f"{len(order.unit.todo)} batches"
        return f"{claimed.work.a_pass.subject.dataset_name}: {what}", order

    def words(self, parts: int, count: int) -> list[str]:
        return [self.take(parts)[0] for _ in range(count)]

    def trained(self, order: Order) -> None:
        """What the runner does when a training is done."""
        claimed = self.scheduler.of(order.number)
        assert claimed is not None
        claimed.ask(claimed.work.unit)
        claimed.out.pop(order.number)


FIRST, SECOND = job(), replace(job(), seed=1)


def test_one_after_the_other_has_the_order_of_the_plan() -> None:
    taker = Taker(None, FIRST, None, SECOND)
    assert taker.words(1, 1) == ["data 0: 4 batches"]
    assert taker.claimed == ["data 0"]
    words, order = taker.take(1)
    assert words == "data 1: training"
    taker.trained(order)
    assert taker.words(1, 3) == ["data 1: 4 batches", "data 2: 4 batches", "data 3: training"]
    assert taker.scheduler.take() is None
    assert taker.scheduler.exhausted


def test_several_at_once_get_trainings_first() -> None:
    taker = Taker(None, FIRST, None, SECOND)
    words, order = taker.take(2)
    assert words == "data 1: training"
    assert taker.claimed == ["data 1"]
    assert taker.words(2, 2) == ["data 3: training", "data 0: 2 batches"]
    assert taker.claimed == ["data 1", "data 3", "data 0"]
    taker.trained(order)
    assert taker.words(2, 5) == [
        *("data 0: 2 batches", "data 1: 2 batches", "data 1: 2 batches", "data 2: 2 batches", "data 2: 2 batches"),
    ]
    assert taker.scheduler.take(2) is None


def test_the_same_training_is_not_handed_out_beside_itself() -> None:
    taker = Taker(None, FIRST, FIRST)
    words, order = taker.take(2)
    assert words == "data 1: training"
    assert taker.words(2, 1) == ["data 0: 2 batches"]
    taker.trained(order)
    assert taker.words(2, 2) == ["data 2: training", "data 0: 2 batches"]  # it finds the weights


def test_a_training_that_is_asked_for_again_comes_first_again() -> None:
    taker = Taker(None, FIRST)
    _, order = taker.take(2)
    assert taker.words(2, 1) == ["data 0: 2 batches"]
    claimed = taker.scheduler.of(order.number)
    assert claimed is not None
    claimed.out.clear()
    claimed.ask_training(FIRST)
    assert taker.words(2, 2) == ["data 1: training", "data 0: 2 batches"]
