"""Tables say in words why their intervals are wide, once for each table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.results.tables.wide import ShownDrop, wide_note
from harness.statistics.drops import paired_interval
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import replicates
from harness_tasks.action.task import Action
from kit.command import Session
from kit.report import made_results

WIDE = re.compile(r"Why intervals are wide: [^.]*\.")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


def drop_of(wrong: int, groups: int, size: int) -> ShownDrop:
    """The drop of top-1 if some frames that were right are wrong, in groups of frames."""
    count = groups * size
    names = [str(number // size) for number in range(count)]
    sides = []
    for right in (np.ones(count, bool), np.arange(count) % 7 >= wrong):
        ranks = [np.array([0, 0, 0 if hit else 1], np.int32) for hit in right]
        frames = [{"label": np.array(0), "ranks": one, "probability": np.array(0.5)} for one in ranks]
        sides.append(replicates(Action(("run",)), frames, names, 100))
    return ShownDrop(paired_interval(sides[1], sides[0], "fusion_top1", higher_is_better=True), count, groups)


def test_what_each_reason_says() -> None:
    assert wide_note([drop_of(0, 20, 1)]) == [
        "Why intervals are wide: there are few samples (20); few groups lose anything, or none, and groups that were "
        "not drawn may lose too."
    ]
    (note,) = wide_note([drop_of(3, 12, 10)])
    assert "there are few groups of samples (12); samples of one group are alike" in note
    assert "few groups lose" not in note
    (note,) = wide_note([drop_of(0, 200, 5)])
    assert "there are few" not in note
    assert "few groups lose anything, or none" in note


def test_no_reason_no_note() -> None:
    assert wide_note([ShownDrop(Estimate(0.3, 0.25, 0.35), 400, 400), ShownDrop(Estimate(0.2), 400, 400)]) == []
    assert wide_note([]) == []


def test_tables_say_it_once(session: Session) -> None:
    assert WIDE.findall(session.run("results", "--task", "detection").stdout) == [
        found := WIDE.findall(session.run("results", "--task", "detection", "--format", "markdown").stdout)[0]
    ]
    assert "few samples (18)" in found
    recommended = session.run("recommend", "--task", "detection", "--max-drop", "0.05", status=None).stdout
    (note,) = WIDE.findall(recommended)
    assert "few samples (18)" in note
    session.run("report", "--task", "detection", "--output", "wide.html", "--samples", "0")
    assert "few samples (18)" in WIDE.findall((session.folder / "wide.html").read_text())[0]
