"""Which batches of a unit are still to be done, which worker has them, and what is known of those that cost a worker.

A worker that dies loses what it had in hand. The batches on which it was not at work go back to all workers. The one on
which it was at work is tried alone, by a worker that was just started: the death may have been an accident (a lack of
memory, somebody's `kill`). If the same step of the same sample ends a worker twice, that step becomes a fault: it is
not tried again, and the sample fails in that cell with the reason. Everything else of the batch is done.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.batches.desk import ANY, Doing, Faults, Place, Step
from harness.batches.preparing import REFERENCE
from harness.errors import PluginError

if TYPE_CHECKING:
    from harness.unit import Unit
    from harness.workers.messages import Scored

__all__ = ["Hand", "Ledger", "Share"]

_DEATHS = 2
"""A step that has ended so many workers is not tried again."""
_FRUITLESS = 5
"""If so many workers die, each in the place of the one before, and nothing is done or learnt, the pass ends."""
_ACCIDENTS = 5
"""A batch that was in hand when so many workers died without a step is not tried again."""
_GIVEN_UP = 10
"""A step of a cell that has failed so many samples in this way, one after the other, is not tried for its others."""


@dataclass(frozen=True)
class Share:
    """An entry of the unit's `todo`, with the cells that still need it.

    Args:
        position: the position in `todo`.
        cells: the cells, as positions in the unit's cells.
    """

    position: int
    cells: tuple[int, ...]


@dataclass
class Hand:
    """What one worker has been given and has not given back.

    Args:
        alone: what it has to do first, one share at a time.
        missing: cell and sample of each row that has not come -> the position of its share.
        trying: the share that it has to do alone now; None if it works as the others do.
        told_to_end: whether it was told that there is no more, so that it takes nothing any more.
        deaths: how many workers, each in the place of the one before, have died before it without doing anything.
    """

    alone: deque[Share] = field(default_factory=deque)
    missing: dict[tuple[int, int], int] = field(default_factory=dict)
    trying: Share | None = None
    told_to_end: bool = False
    deaths: int = 0

    def shares(self) -> list[Share]:
        """Return what is not complete, in the order of the unit."""
        cells: dict[int, dict[int, None]] = {}
        for (cell, _), position in self.missing.items():
            cells.setdefault(position, {})[cell] = None
        return [Share(position, tuple(cells[position])) for position in sorted(cells)]


class Ledger:
    """The batches of a unit, and the faults that were found in it.

    Args:
        unit: the unit of work.
    """

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._cells = {cell.experiment.key: number for number, cell in enumerate(unit.cells)}
        self._next = 0
        self._again: deque[Share] = deque()
        self._faults: dict[Place, str] = {}
        self._deaths: Counter[Place] = Counter()
        self._in_a_row: Counter[tuple[int, int]] = Counter()
        self._accidents: Counter[int] = Counter()

    def give(self, hand: Hand) -> Share | None:
        """Put the next share into a worker's hand, and return it; None if there is none."""
        share: Share | None = None
        hand.trying = None
        if hand.told_to_end:
            return None
        if hand.alone:
            share = hand.trying = hand.alone.popleft()
        elif self._again:
            share = self._again.popleft()
        elif self._next < len(self._unit.todo):
            share = Share(self._next, self._unit.todo[self._next].cells)
            self._next += 1
        if share is None:
            hand.told_to_end = True
        else:
            indices = self._unit.todo[share.position].batch.indices
            hand.missing |= {(cell, index): share.position for cell in share.cells for index in indices}
        return share

    def waits(self) -> bool:
        """Whether there are shares that nobody has taken yet."""
        return bool(self._again) or self._next < len(self._unit.todo)

    def faults(self, share: Share) -> Faults:
        """Return the faults that a worker has to know for a share."""
        indices = {ANY, *self._unit.todo[share.position].batch.indices}
        return {place: text for place, text in self._faults.items() if place[2] in indices}

    def came(self, hand: Hand, scored: Scored) -> Scored:
        """Note that rows of a worker have come; return them without those that came before its predecessor died."""
        rows = scored.rows
        cell = self._cells[rows.key]
        new = tuple(row for row in rows.rows if hand.missing.pop((cell, row.index), None) is not None)
        if any(row.status == "ok" for row in new):
            hand.deaths = 0
            if self._in_a_row:
                for place in [place for place in self._in_a_row if place[1] in (cell, REFERENCE)]:
                    del self._in_a_row[place]
        return scored if len(new) == len(rows.rows) else replace(scored, rows=replace(rows, rows=new))

    def died(self, hand: Hand, doing: Doing | None, how: str, certain: bool = False) -> tuple[Hand, str]:
        """Note that a worker has died.

        Args:
            hand: what it had in hand.
            doing: what it did; None if that is not known.
            how: "the worker was killed by signal 11".
            certain: whether there is no doubt that what it did was the cause.

        Returns:
            What the worker in its place gets, with what it has to try alone; and what happened, for the user.

        Raises:
            PluginError: workers die one after the other, and nothing is learnt from it.
        """
        deaths, again, shares = hand.deaths + 1, True, hand.shares()
        if doing is None or doing.step == Step.NOTHING:
            # It waited, or it was at work for the harness: an accident, unless it happens to a batch again and again.
            text = f"{how}, and it was not at work on any sample"
            self._accidents.update(share.position for share in shares)
            suspects = [share for share in shares if self._accidents[share.position] >= _ACCIDENTS - 1]
            if hand.trying in shares and self._accidents[hand.trying.position] >= _ACCIDENTS:
                left = {pair for pair, position in hand.missing.items() if position == hand.trying.position}
                self._faults |= {(Step.NOTHING, *pair): text for pair in left}
                again = False
        else:
            text = f"{how} while {_words(self._unit, doing.place)}"
            self._deaths[doing.place] += 1
            if certain or self._deaths[doing.place] == _DEATHS:
                self._condemn(doing.place, text)
                deaths, again = 0, False
            suspects = [s for s in shares if doing.index in self._unit.todo[s.position].batch.indices]
        if deaths >= _FRUITLESS:
            raise PluginError(f"{text}. {deaths} workers have died in a row, and no sample was done between.")
        self._again.extend(share for share in shares if share not in suspects)
        then = "That is tried once more, alone." if again else "That is not tried again, and everything else is done."
        if again and not suspects:
            then = "What it had in hand is done again."
        return Hand(deque([*suspects, *hand.alone]), deaths=deaths), f"{text}. {then}"

    def _condemn(self, place: Place, text: str) -> None:
        """Make a place a fault; give up the step for the whole cell if it fails everywhere."""
        step, cell, _ = place
        self._faults[place] = text
        self._in_a_row[step, cell] += 1
        if self._in_a_row[step, cell] == _GIVEN_UP:
            self._faults[step, cell, ANY] = f"not tried, after {_GIVEN_UP} samples in a row: {text}"


def _words(unit: Unit, place: Place) -> str:
    """Say which plugin did what to which sample: "codec h264 encoded sample 000004 at level 30"."""
    step, cell, index = place
    subject = unit.subject
    name = str(index)
    with contextlib.suppress(Exception):
        name = subject.dataset.outline(index).id
    if step in (Step.OUTLINE, Step.READ):
        return f"dataset {subject.dataset_name} read sample {name}"
    where = "uncompressed"
    if cell != REFERENCE:
        codec, level = unit.cells[cell].codec.name, unit.cells[cell].level
        at = "" if level is None else f" at level {level:g}"
        if step in (Step.ENCODE, Step.DECODE):
            return f"codec {codec} {'encoded' if step == Step.ENCODE else 'decoded'} sample {name}{at}"
        where = f"codec {codec}{at}"
    if step == Step.SCORE:
        return f"task {subject.task.name} scored sample {name} ({where})"
    what = f"sample {name}" if step == Step.PREPARE else f"the batch that begins with sample {name}"
    return f"model {subject.model_name} prepared {what} ({where})"
