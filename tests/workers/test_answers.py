"""Predictions that wait to be scored: in their order, several at once, and their slots are given back."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from harness.batches.preparing import REFERENCE, PreparedBatch
from harness.batches.scoring import Predicted
from harness.workers.answers import BURST, BURST_IN_SLOTS, Answers
from harness.workers.slots import Mapped, Parcel, Slot
from harness.workers.transport import flattened

SMALL, LARGE = 8, 1 << 16
"""Bytes: what goes through the pipe, and what lies in the slot."""


def batch(number: int, cell: int = 0) -> PreparedBatch:
    return PreparedBatch(cell, None, [], [], [], batch=number)


def predicted(size: int) -> Predicted:
    return Predicted([[np.arange(size, dtype=np.uint8)]])


def inline(size: int) -> Parcel:
    text, buffers = flattened(predicted(size))
    return Parcel(text, tuple(buffer.nbytes for buffer in buffers), None, tuple(map(bytes, buffers)))


def in_slot(slot: Slot, size: int) -> Parcel:
    """A message in the slot, as the main process puts it there."""
    parcel, _ = slot.put(predicted(size))
    return replace(parcel, new_size=0)


def test_a_slot_is_free_at_once_if_nothing_lies_in_it() -> None:
    free: deque[int] = deque()
    answers = Answers([Slot(), Slot()], free)
    answers.add(1, inline(SMALL), batch(7))
    assert list(free) == [1]
    assert [
        (coded.batch, found.predictions[0][0].tolist()) for coded, found in answers.take() if found.predictions
    ] == [(7, list(range(SMALL)))]
    assert not answers
    assert list(free) == [1], "it was given back twice"


def test_a_slot_is_free_once_its_batch_was_scored() -> None:
    free: deque[int] = deque()
    slots = [Slot(), Slot()]
    answers = Answers(slots, free)
    for number, slot in enumerate(slots):
        answers.add(number, in_slot(slot, LARGE + number), batch(number))
    seen = []
    for coded, found in answers.take():
        assert found.predictions is not None
        seen.append((coded.batch, len(found.predictions[0][0]), list(free)))
        del found
    assert seen == [(0, LARGE, []), (1, LARGE + 1, [0])]
    assert list(free) == [0, 1]


def test_enough_have_come() -> None:
    answers = Answers([Slot()], deque())
    for number in range(BURST):
        assert not answers.are_many()
        answers.add(0, inline(SMALL), batch(number))
    assert answers.are_many()


def test_few_are_enough_if_they_hold_slots() -> None:
    slots = [Slot() for _ in range(BURST_IN_SLOTS)]
    answers = Answers(slots, deque())
    for number, slot in enumerate(slots):
        assert not answers.are_many()
        answers.add(number, in_slot(slot, LARGE), batch(number))
    assert answers.are_many()


def test_it_is_known_which_batches_wait() -> None:
    answers = Answers([Slot()], deque())
    answers.add(0, inline(SMALL), batch(3, REFERENCE))
    assert answers.has(REFERENCE, 3)
    assert not answers.has(REFERENCE, 4)
    assert not answers.has(0, 3)


def test_small_predictions_leave_the_slot_and_large_ones_lie_in_it() -> None:
    mapped = Mapped()
    assert not mapped.put(predicted(LARGE)).in_slot, "there is no memory yet"
    worker = Slot()
    _, descriptor = worker.put(predicted(LARGE))
    assert descriptor is not None
    mapped.memory = worker.memory
    assert not mapped.put(predicted(SMALL)).in_slot
    assert mapped.put(predicted(LARGE)).in_slot
