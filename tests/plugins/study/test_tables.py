"""The study's tables: its figures as published, and one's own results in its layout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.tables.text import render
from harness.statistics.estimate import Estimate
from harness_plugins.study.published import published_tables
from harness_plugins.study.tables import study_tables


def cell(level: float | None, value: float, **changes: Any) -> ResultCell:
    facts = {
        **{"task": "pose", "model": "openpose", "weights": "w", "dataset": "coco", "split": "val2017", "codec": "jpeg"},
        **{
            "codec_options": "{}",
            "planned_samples": 500,
            "samples": 500,
            "groups": 500,
            "status": "finished",
            "level": level,
            "level_name": "quality",
        },
        **{"training": "pretrained", "train_mode": None, "train_codec": None, "train_level": None, "parts": None},
        **{
            "seed": 0,
            "series": None,
            "cell": f"{level}",
            "finished_at": "1",
            "run": 1,
            "experiment": f"{level} {value} {changes}",
        },
        **changes,
    }
    return ResultCell(facts, {"AP": MeasuredMetric(Estimate(value), True, True)})


def retrained(level: float, value: float, train_level: float, **changes: Any) -> ResultCell:
    taught = {"training": "retrained", "train_mode": "level", "train_codec": "jpeg", "train_level": train_level}
    taught["series"] = f"at {train_level}"
    return cell(level, value, **{**taught, **changes})


def test_the_headline_figure_follows_from_the_published_tables() -> None:
    pose = published_tables()["pose"]
    before, after = pose.pretrained["AP"][-1], pose.retrained["AP"][-1]
    assert round(100 * (after - before) / after, 1) == 78.4
    for table in published_tables().values():
        for side in (table.pretrained, table.retrained):
            assert {len(values) for values in side.values()} == {len(table.levels)}
        assert [v[0] for v in table.pretrained.values()] == [v[0] for v in table.retrained.values()]


CELLS = [
    cell(None, 0.8, codec="none"),
    cell(95.0, 0.7),
    cell(5.0, 0.1),
    retrained(5.0, 0.4, 5.0),
    retrained(5.0, 0.5, 5.0, seed=1),
    retrained(5.0, 0.9, 15.0),  # tested at another level than it was trained at
    retrained(5.0, 0.9, 5.0, parts="spatial"),
    retrained(5.0, 0.9, 5.0, series="a recipe tried before", finished_at="0"),
    cell(5.0, 0.9, status="failed"),
]


def test_a_and_b_stand_side_by_side_with_the_published_figures() -> None:
    (table,) = study_tables(CELLS, beside=True)
    assert table.columns == ("quality", "(A) AP", "(A) n", "(B) AP", "(B) n", "study (A) AP", "study (B) AP")
    half = 12.7062 * 0.05  # Student's quantile for one degree of freedom times the standard error
    assert table.rows == (
        ("95", "0.700", 500, "0.700", 500, "0.711", "0.711"),
        ("5", "0.100", 500, f"0.450 ±{half:.3f}", 500, "0.098", "0.454"),
    )
    assert "Table IV (pose): openpose on coco/val2017" in table.title
    assert any("mean of up to 2 trainings" in note for note in table.notes)


def test_drops_in_percent_from_the_top_and_from_uncompressed_data() -> None:
    (top,) = study_tables(CELLS[:4], beside=True, drops="top")
    assert top.columns[1:5] == ("(A) AP drop, %", "(A) n", "(B) AP drop, %", "(B) n")
    assert top.rows == (("95", "0.0", 500, "0.0", 500, "0.0", "0.0"), ("5", "85.7", 500, "42.9", 500, "86.2", "36.1"))
    (none,) = study_tables(CELLS[:4], beside=True, drops="none")
    assert none.rows == (("95", "12.5", 500, "12.5", 500, "", ""), ("5", "87.5", 500, "50.0", 500, "", ""))


def test_another_codec_has_no_published_figures_beside_it() -> None:
    (table,) = study_tables([cell(80.0, 0.5, codec="webp")], beside=True)
    assert table.columns == ("quality", "(A) AP", "(A) n", "(B) AP", "(B) n")
    assert table.rows == (("80", "0.500", 500, "", None),)  # nothing was retrained


def with_intervals(level: float | None, value: float, drop: float, **changes: Any) -> ResultCell:
    one = cell(level, value, **changes)
    found = MeasuredMetric(
        Estimate(value, value - 0.1, value + 0.1), True, True, Estimate(drop, drop - 0.02, drop + 0.04)
    )
    return replace(one, metrics={"AP": found})


@pytest.mark.parametrize(
    ("counts", "few"), [((500, 500), False), ((8, 8), True), ((500, 12), True), ((65, 65), True), ((66, 13), False)]
)
def test_a_value_never_stands_without_its_interval_and_its_number_of_samples(
    counts: tuple[int, int], few: bool
) -> None:
    size = {"samples": counts[0], "groups": counts[1]}
    cells = [
        with_intervals(None, 0.8, 0.0, codec="none", **size),
        with_intervals(95.0, 0.7, 0.1, **size),
        with_intervals(5.0, 0.2, 0.6, **size),
    ]
    mark = " (few)" if few else ""
    (table,) = study_tables(cells, beside=True)
    assert [row[1:3] for row in table.rows] == [
        (f"0.700 [0.600, 0.800]{mark}", counts[0]),
        (f"0.200 [0.100, 0.300]{mark}", counts[0]),
    ]
    assert any("(few)" in note for note in table.notes) == few
    (drops,) = study_tables(cells, drops="none")
    assert [row[1] for row in drops.rows] == [f"12.5 [10.0, 17.5]{mark}", f"75.0 [72.5, 80.0]{mark}"]
    (top,) = study_tables(cells, drops="top")
    assert [row[1] for row in top.rows] == [f"0.0{mark}", f"71.4{mark}"]
    (long,) = study_tables(cells, long=True)
    row = dict(zip(long.columns, long.rows[1], strict=True))
    value = {"(A) AP": 0.2, "(A) AP ci_low": 0.1, "(A) AP ci_high": 0.2 + 0.1, "(A) AP seeds_margin": None}
    assert row == {
        **{"quality": "5", **value, "(A) n": counts[0], "(A) few": few},
        **dict.fromkeys([name.replace("(A)", "(B)") for name in [*value, "(A) n", "(A) few"]]),
    }
    for form in ("table", "markdown", "latex"):
        assert ("(few)" in render(table, form)) == few
    for form in ("csv", "json"):
        assert str(few).lower() in render(long, form).lower()
