"""What dies or hangs in a worker costs its sample, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.batches.desk import Doing, Step
from harness.batches.preparing import reason
from harness.engine.predict import run_unit
from harness.errors import PluginError
from harness.progress import Silence
from harness.records import SampleRow
from harness.unit import Settings, Unit
from harness.workers.ledger import Hand, Ledger
from kit.faults import LEVEL, STEPS, WAYS, Faulty, disturbed_unit, hang
from kit.units import SETTINGS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux")

WORDS = {
    "read": ("dataset numbered read sample image {0}", "reading the source"),
    "encode": ("codec jpeg encoded sample image {0} at level 5", "codec jpeg"),
    "decode": ("codec jpeg decoded sample image {0} at level 5", "codec jpeg"),
    "prepare": ("model brightness prepared sample image {0} (codec jpeg at level 5)", "model brightness"),
    "score": ("task brightness scored sample image {0} (codec none)", "task brightness"),
}
"""Step -> what is said of a worker that ends in it, and of an error in it."""


class Warnings(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, text: str) -> None:
        self.said.append(text)


def processes() -> set[str]:
    """The children of this process and their children."""
    found: set[str] = set()
    left = [str(os.getpid())]
    while left:
        try:
            children = Path(f"/proc/{left[0]}/task/{left.pop(0)}/children").read_text().split()
        except OSError:
            continue
        found.update(children)
        left += children
    return found


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = processes()
    yield
    assert not multiprocessing.active_children()
    assert processes() <= before


def rows(work: Unit, settings: Settings = SETTINGS, progress: Silence | None = None) -> list[SampleRow]:
    return [row for batch in run_unit(work, settings, progress or Silence()) for row in batch]


def values(found: list[SampleRow]) -> dict[tuple[str, int], Any]:
    """What must not depend on how it was carried out, by cell and sample; no row comes twice."""
    by_place = {(row.key, row.index): row for row in found}
    assert len(by_place) == len(found)
    return {
        place: (
            *(row.id, row.group, row.status, row.error, row.bits, row.squared_error, row.score),
            *(one["value"].tobytes() for one in row.statistics),
        )
        for place, row in by_place.items()
    }


def failed_cells(work: Unit, step: str) -> list[str]:
    """The keys of the cells in which a fault of this step shows."""
    return [
        cell.experiment.key
        for cell in work.cells
        if step == "read" or (cell.exact if step == "score" else cell.level == LEVEL)
    ]


def test_every_death_in_every_step_costs_its_sample_alone() -> None:
    places = [(step, way) for step in STEPS for way in WAYS]
    faults = {(step, 2 * number): WAYS[way][0] for number, (step, way) in enumerate(places)}
    count = 2 * len(places) + 2
    work = disturbed_unit(count, Faulty(faults))
    progress = Warnings()
    found = values(rows(work, progress=progress))
    right = values(rows(disturbed_unit(count, Faulty({}))))
    assert found.keys() == right.keys()
    for number, (step, way) in enumerate(places):
        for key in failed_cells(work, step):
            row = found.pop((key, 2 * number))
            while_, where = WORDS[step]
            how = WAYS[way][1]
            told = f"{how} while {while_.format(2 * number)}" if how.startswith("the worker") else f"{where}: {how}"
            assert row[:4] == (f"image {2 * number}", right[key, 2 * number][1], "failed", told)
            del right[key, 2 * number]
    assert found == right
    for then in ("That is tried once more, alone.", "That is not tried again, and everything else is done."):
        assert len([said for said in progress.said if said.endswith(then)]) == 3 * 5


def test_what_takes_too_long_costs_its_sample_alone() -> None:
    faults = {(step, 2 * number): hang for number, step in enumerate(STEPS)}
    work = disturbed_unit(14, Faulty(faults))
    begun = time.monotonic()
    found = values(rows(work, replace(SETTINGS, sample_timeout=2.5)))
    assert time.monotonic() - begun < 60
    right = values(rows(disturbed_unit(14, Faulty({}))))
    for number, step in enumerate(STEPS):
        for key in failed_cells(work, step):
            told = f"the worker was stopped after 2.5 s (--sample-timeout) while {WORDS[step][0].format(2 * number)}"
            assert found.pop((key, 2 * number))[2:4] == ("failed", told)
            del right[key, 2 * number]
    assert found == right


@pytest.mark.parametrize("reference", [False, True])
def test_an_accident_costs_nothing(tmp_path: Path, reference: bool) -> None:
    kill = WAYS["kill"][0]
    faults = {(step, 2 * n): Faulty.once(tmp_path / step, kill) for n, step in enumerate(STEPS)}
    found = values(rows(disturbed_unit(12, Faulty(faults), reference)))
    assert {file.name for file in tmp_path.iterdir()} >= {"read", "encode", "decode", "prepare"}
    assert found == values(rows(disturbed_unit(12, Faulty({}), reference)))


def test_without_workers_a_plugin_that_leaves_costs_its_sample_too() -> None:
    faults = {(step, 2 * number): WAYS["SystemExit"][0] for number, step in enumerate(STEPS)}
    work = disturbed_unit(12, Faulty(faults))
    found = values(rows(work, replace(SETTINGS, workers=0)))
    right = values(rows(disturbed_unit(12, Faulty({})), replace(SETTINGS, workers=0)))
    for number, step in enumerate(STEPS):
        for key in failed_cells(work, step):
            assert found.pop((key, 2 * number))[2:4] == ("failed", f"{WORDS[step][1]}: SystemExit: 4")
            del right[key, 2 * number]
    assert found == right


def test_a_codec_that_kills_on_every_sample_is_given_up_for_its_level() -> None:
    work = disturbed_unit(16, Faulty({("encode", index): WAYS["exit"][0] for index in range(16)}))
    found = values(rows(work, replace(SETTINGS, workers=1)))
    right = values(rows(disturbed_unit(16, Faulty({}))))
    (key,) = failed_cells(work, "encode")
    errors = [found.pop((key, index))[3] for index in range(16)]
    assert found == {place: row for place, row in right.items() if place[0] != key}
    told = "the worker ended with exit status 3 while codec jpeg encoded sample image {} at level 5"
    assert errors[:10] == [told.format(index) for index in range(10)]
    assert set(errors[10:]) == {f"not tried, after 10 samples in a row: {told.format(9)}"}


def test_a_worker_that_was_told_to_end_is_given_nothing_more() -> None:
    ledger, first, second = Ledger(disturbed_unit(2, Faulty({}))), Hand(), Hand()
    share = ledger.give(first)
    assert share is not None
    assert ledger.give(second) is None
    ledger.died(first, Doing(Step.READ, -1, 99, 0.0), "the worker left")
    assert ledger.waits()
    assert ledger.give(second) is None
    assert ledger.give(Hand()) == share


def test_a_worker_that_dies_while_it_waits_costs_nothing_unless_it_happens_to_a_batch_again_and_again() -> None:
    ledger, waits = Ledger(disturbed_unit(2, Faulty({}))), Doing(Step.NOTHING, 0, 0, 0.0)
    hand = Hand()
    for time_ in range(4):
        hand.deaths = 0  # other batches were done meanwhile
        share = ledger.give(hand)
        assert share is not None
        assert not ledger.faults(share)
        hand, note = ledger.died(hand, waits, "the worker was killed by signal 9")
        assert bool(hand.alone) == (time_ == 3)
    hand.deaths = 0
    assert ledger.give(hand) == share
    hand, note = ledger.died(hand, waits, "the worker was killed by signal 9")
    assert note.endswith("That is not tried again, and everything else is done.")
    assert ledger.give(hand) == share
    assert set(ledger.faults(share).values()) == {
        "the worker was killed by signal 9, and it was not at work on any sample"
    }


def test_workers_that_die_whatever_they_do_end_the_pass() -> None:
    main = os.getpid()

    class Untranslatable(type(disturbed_unit(2, Faulty({})).subject.task)):  # type: ignore[misc]
        def translator(self, *arguments: Any) -> Any:
            if os.getpid() != main:
                os._exit(9)
            return super().translator(*arguments)

    work = disturbed_unit(12, Faulty({}))
    work.subject.task.__class__ = Untranslatable
    with pytest.raises(PluginError, match="5 workers have died in a row, and no sample was done between"):
        rows(work)


def test_a_dead_worker_is_noticed_although_its_child_lives(tmp_path: Path) -> None:
    def leaves_a_child() -> None:
        if not os.fork():
            (tmp_path / str(os.getpid())).touch()
            time.sleep(60)
            os._exit(0)
        os._exit(3)

    begun = time.monotonic()
    work = disturbed_unit(6, Faulty({("encode", 2): leaves_a_child}))
    found = values(rows(work))
    assert time.monotonic() - begun < 30
    assert [row[3] for row in found.values() if row[2] == "failed"] == [
        "the worker ended with exit status 3 while codec jpeg encoded sample image 2 at level 5"
    ]
    for file in tmp_path.iterdir():
        os.kill(int(file.name), 9)


def test_a_reason_can_always_be_stored() -> None:
    class MuteError(ValueError):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert reason("codec x", ValueError("bad \udc80\0 name")) == "codec x: ValueError: bad \\udc80\\x00 name"
    assert reason("codec x", MuteError()) == "codec x: MuteError: (a MuteError whose text cannot be had: RuntimeError)"
