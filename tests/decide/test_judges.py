"""Bounds from stored intervals are those from resamples."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy.stats import binomtest

from harness.decide.judges import by_stored_intervals
from harness.decide.limit import Limit
from harness.decide.walk import recommend
from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.ladders import Case, Ladder
from harness.statistics.estimate import Estimate
from kit.resamples import a_cell


def test_a_drop_of_zero_is_judged_alike_by_stored_intervals() -> None:
    same = MeasuredMetric(Estimate(0.875, 0.8, 0.95), True, True, Estimate(0.0, 0.0, 0.0))
    cell = ResultCell({**a_cell(95.0, 2.0).facts, "samples": 40, "groups": 40}, {"value": same})
    clean = ResultCell(a_cell(None, 24.0).facts, {"value": same})
    found = [by_stored_intervals(cell, clean, "value", Limit.parse(text), 0.95)[0] for text in ("0.08", "0.005", "9%")]
    assert [one.verdict for one in found] == ["holds", "undecided", "holds"]
    assert found[0].value == pytest.approx(binomtest(0, 40).proportion_ci(0.90).high)
    lossless = ResultCell({**cell.facts, "psnr": None}, cell.metrics)
    lower = ResultCell(cell.facts, {"value": replace(same, higher_is_better=False)})
    for one in (lossless, lower):
        for text in ("0", "2%"):
            bound = by_stored_intervals(one, clean, "value", Limit.parse(text), 0.95)[0]
            assert (bound.verdict, bound.value) == ("holds", 0)
        ladder = Ladder("jpeg", "pretrained", (one,))
        (told,) = recommend(Case(clean, (ladder,)), by_stored_intervals, Limit.parse("2%"))
        assert not [note for note in told.notes if "binomial" in note]
    little = ResultCell(clean.facts, {"value": replace(same, metric=Estimate(0.875, -0.2, 1.9))})
    reason = by_stored_intervals(cell, little, "value", Limit.parse("2%"), 0.95)[0].reason
    assert reason == "the uncompressed value cannot be told from 0: no share of it"
