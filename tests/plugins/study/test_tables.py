"""The study's tables: its figures as published, and one's own results in its layout."""

from __future__ import annotations

from typing import Any

from harness.results.cells import MeasuredMetric, ResultCell
from harness.statistics.estimate import Estimate
from harness_plugins.study.published import published_tables
from harness_plugins.study.tables import study_tables


def cell(level: float | None, value: float, **changes: Any) -> ResultCell:
    facts = {
        **{"task": "pose", "model": "openpose", "weights": "w", "dataset": "coco", "split": "val2017", "codec": "jpeg"},
        **{"codec_options": "{}", "planned_samples": 5, "status": "finished", "level": level, "level_name": "quality"},
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
    assert table.columns == ("quality", "(A) AP", "(B) AP", "study (A) AP", "study (B) AP")
    half = 12.7062 * 0.05  # Student's quantile for one degree of freedom times the standard error
    assert table.rows == (
        ("95", "0.700", "0.700", "0.711", "0.711"),
        ("5", "0.100", f"0.450 ±{half:.3f}", "0.098", "0.454"),
    )
    assert "Table IV (pose): openpose on coco/val2017" in table.title
    assert any("mean of up to 2 trainings" in note for note in table.notes)


def test_drops_in_percent_from_the_top_and_from_uncompressed_data() -> None:
    (top,) = study_tables(CELLS[:4], beside=True, drops="top")
    assert top.columns[1:3] == ("(A) AP drop, %", "(B) AP drop, %")
    assert top.rows == (("95", "0.0", "0.0", "0.0", "0.0"), ("5", "85.7", "42.9", "86.2", "36.1"))
    (none,) = study_tables(CELLS[:4], beside=True, drops="none")
    assert none.rows == (("95", "12.5", "12.5", "", ""), ("5", "87.5", "50.0", "", ""))


def test_another_codec_has_no_published_figures_beside_it() -> None:
    (table,) = study_tables([cell(80.0, 0.5, codec="webp")], beside=True)
    assert table.columns == ("quality", "(A) AP", "(B) AP")
    assert table.rows == (("80", "0.500", ""),)  # nothing was retrained
