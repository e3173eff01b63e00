"""Knows what of a plan waits for what, and gives executors what is ready.

Passes are handed out in the order of the plan. A pass with a training is first the order of the training; when its
weights are there, its unit is ready, and comes before all passes after it. An executor that works on several things at
once gets all trainings first, so that others predict while they go on. A pass that many can work on is cut into shards
of whole planned batches. Cells are claimed when their pass is asked for, and not before, so that other runs on
the same database can take what nobody works on here. Drops and recoveries wait for the baseline; the finisher computes
them when both sides are there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.engine.work import label_of
from harness.executor import Order

if TYPE_CHECKING:
    from harness.engine.collecting import Collector
    from harness.engine.work import Work
    from harness.planning.plan import Pass
    from harness.training.job import Job
    from harness.unit import Unit

__all__ = ["Claimed", "Scheduler", "shards"]


@dataclass(eq=False)
class Claimed:
    """The claimed cells of a pass, while something of them is ready, or is being done.

    Args:
        work: the cells, and what is left of them. After a training its subject has the trained weights.
        job: a training that nobody has taken yet, which is to be done first.
        left: what nobody has taken yet.
        whole: whether nobody has taken a part of `left` yet, so that it can be cut.
        out: number -> the orders that were taken and are not done.
        tries: how many times the training, or the rows, were asked for.
        collector: takes the rows.
        ended: whether its cells have failed, so that nothing more is wanted.
    """

    work: Work
    job: Job | None = None
    left: deque[Unit] = field(default_factory=deque)
    whole: bool = True
    out: dict[int, Order] = field(default_factory=dict)
    tries: int = 0
    collector: Collector | None = None
    ended: bool = False

    def ask(self, unit: Unit) -> None:
        """Let a unit be handed out."""
        self.left, self.whole = deque([unit] if unit.todo else ()), True
        self.tries += 1

    def ask_training(self, job: Job | None) -> None:
        """Let a training be handed out."""
        self.job = job
        self.tries += 1

    def end(self) -> None:
        """Want nothing more."""
        self.job, self.ended = None, True
        self.left.clear()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left and nobody is at work."""
        return self.job is None and not self.left and not self.out


class Scheduler:
    """What an executor takes its orders from (`harness.executor.Ready`).

    Args:
        passes: the passes of the plan.
        claim: claims what can be claimed of a pass, and returns it; None if there is nothing to do.

    Attributes:
        taken: how many orders were taken.
        exhausted: whether the last question found nothing ready.
    """

    def __init__(self, passes: Sequence[Pass], claim: Callable[[Pass], Claimed | None]) -> None:
        self._passes = list(passes)
        self._claim = claim
        self._begun: dict[int, list[Claimed]] = {}
        self._tried: set[int] = set()
        self.taken = 0
        self.exhausted = False

    def begin(self) -> None:
        """Begin a round: what could not be claimed before is tried again."""
        self._tried.clear()
        self.exhausted = False

    def take(self, parts: int = 1) -> Order | None:
        """Return the next order (`harness.executor.Ready.take`)."""
        numbers = range(len(self._passes))
        if parts > 1 and (order := self._first(filter(self._waits_for_training, numbers), parts)) is not None:
            return order
        if (order := self._first(numbers, parts)) is not None:
            return order
        self.exhausted = True
        return None

    def of(self, order: int) -> Claimed | None:
        """Return what an order belongs to; None if no such order is out."""
        return next((claimed for claimed in self.claimed() if order in claimed.out), None)

    def claimed(self) -> Iterator[Claimed]:
        """Yield what was claimed and is not done."""
        for several in self._begun.values():
            yield from several

    def flush(self) -> None:
        """Write the rows that have come and are not written yet."""
        for claimed in self.claimed():
            if claimed.collector is not None:
                claimed.collector.flush()

    def drop(self, claimed: Claimed) -> None:
        """Forget what is done."""
        for several in self._begun.values():
            if claimed in several:
                several.remove(claimed)

    def _first(self, numbers: Iterable[int], parts: int) -> Order | None:
        """Hand out what is ready of the first of some passes; None if nothing is."""
        for number in numbers:
            for claimed in self._begun.get(number, ()):
                if (order := self._order(claimed, parts)) is not None:
                    return order
            if number not in self._tried:
                self._tried.add(number)
                claimed_now = self._claim(self._passes[number])
                if claimed_now is not None:
                    self._begun.setdefault(number, []).append(claimed_now)
                    if (order := self._order(claimed_now, parts)) is not None:
                        return order
        return None

    def _waits_for_training(self, number: int) -> bool:
        """Return whether the training of a pass may be handed out: nobody has it, nor the same one of another pass."""
        a_pass = self._passes[number]
        if a_pass.job is None:
            return False
        begun = self._begun.get(number, ())
        if not any(claimed.job is not None for claimed in begun) and (begun or number in self._tried):
            return False
        out = {order.job.key() for claimed in self.claimed() for order in claimed.out.values() if order.job is not None}
        return a_pass.job.key() not in out

    def _order(self, claimed: Claimed, parts: int) -> Order | None:
        """Hand out what is left of some cells; None if nothing is."""
        unit, job = None, claimed.job
        if job is not None:
            claimed.job = None
        elif claimed.left:
            if claimed.whole:
                claimed.left, claimed.whole = deque(shards(claimed.left.popleft(), parts)), False
            unit = claimed.left.popleft()
        else:
            return None
        self.taken += 1
        self.exhausted = False
        order = Order(self.taken, _label(claimed, job), unit, job)
        claimed.out[order.number] = order
        return order


def shards(unit: Unit, parts: int) -> list[Unit]:
    """Cut a unit into parts of whole planned batches, in their order, whose numbers of batches differ by one at most.

    A unit with fewer batches than parts gives a part for each batch.
    """
    count = max(1, min(parts, len(unit.todo)))
    bounds = [len(unit.todo) * part // count for part in range(count + 1)]
    return [replace(unit, todo=unit.todo[first:end]) for first, end in pairwise(bounds)]


def _label(claimed: Claimed, job: Job | None) -> str:
    """Return what an order is, in words: of a training the words that its progress has."""
    cells, subject = claimed.work.cells, claimed.work.unit.subject
    if job is not None:
        return f"{subject.task.name}, {subject.model_name}, {cells[0].experiment.training.label}"
    return label_of(cells)
