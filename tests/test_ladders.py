"""Which experiments make a ladder: kinds of training, parts of models, recipes tried after each other."""

from __future__ import annotations

from typing import Any

from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.ladders import Ladder, cases_of
from harness.statistics.estimate import Estimate

LEVELS = (90.0, 50.0, 5.0)


def cell(level: float | None, **facts: Any) -> ResultCell:
    """An experiment of jpeg; `trained` is the level of a model that was retrained at one."""
    trained = facts.pop("trained", None)
    mode = "level" if trained is not None else facts.pop("mode", None)
    row = {
        **dict.fromkeys(("model", "weights", "dataset", "split", "reference", "precision", "train_level", "parts"), ""),
        **{"task": "detection", "codec": "jpeg", "codec_options": "{}", "level": level, "level_name": "quality"},
        **{"status": "finished", "bpp": level, "seed": 0, "run": 1, "finished_at": "2026-01-01", "cell": f"c{level}"},
        **{"planned_samples": 4, "batch": 1, "train_mode": mode, "train_codec": None, "series": None, "parts": None},
        **{"training": "retrained" if mode else "pretrained", "train_level": trained},
        **facts,
    }
    if level is None:
        row["codec"] = "none"
    if trained is not None:
        row |= {"train_codec": "jpeg", "series": facts.get("series", f"at {trained}")}
    row["experiment"] = str(sorted((name, str(value)) for name, value in row.items()))
    return ResultCell(row, {"AP": MeasuredMetric(Estimate(0.5), True, True)}, subject="same", ladder="jpeg")


def ladders(*cells: ResultCell) -> dict[str, Ladder]:
    (case,) = cases_of([cell(None), *(cell(level) for level in LEVELS), *cells])
    assert case.baseline is not None
    return {one.training: one for one in case.ladders}


def levels(ladder: Ladder) -> list[float]:
    return [one.facts["level"] for one in ladder.cells]


def test_models_that_are_tested_where_they_were_retrained_are_matched_and_nothing_else() -> None:
    found = ladders(cell(50.0, trained=50.0), cell(5.0, trained=5.0))
    assert {name: levels(one) for name, one in found.items()} == {
        "pretrained": [90.0, 50.0, 5.0],
        "matched": [50.0, 5.0],
    }


def test_a_model_that_is_tested_elsewhere_alone_is_not_lost() -> None:
    found = ladders(cell(50.0, trained=5.0))
    assert levels(found["jpeg@5"]) == [50.0]
    found = ladders(cell(50.0, trained=5.0), cell(5.0, trained=5.0))
    assert levels(found["jpeg@5"]) == [50.0, 5.0]
    assert levels(found["matched"]) == [5.0]


def test_parts_of_models_are_matched_apart() -> None:
    found = ladders(cell(50.0, trained=50.0, parts="spatial"), cell(5.0, trained=5.0, parts="spatial"))
    assert set(found) == {"pretrained", "matched (spatial only)"}
    assert levels(found["matched (spatial only)"]) == [50.0, 5.0]
    found = ladders(cell(5.0, trained=5.0, parts="spatial"), cell(5.0, trained=5.0))
    assert {"matched", "matched (spatial only)"} < set(found)


def test_a_ladder_is_of_one_model_but_where_each_level_has_its_own() -> None:
    old = [cell(level, mode="mixed", series="old") for level in LEVELS]
    new = cell(5.0, mode="mixed", series="new", finished_at="2026-02-02")
    found = ladders(*old, new)
    assert [one.facts["series"] for one in found["mixed"].cells] == ["new"]
    matched = [cell(50.0, trained=50.0, series="old"), cell(5.0, trained=5.0, series="old")]
    later = cell(5.0, trained=5.0, series="new", finished_at="2026-02-02")
    assert [one.facts["series"] for one in ladders(*matched, later)["matched"].cells] == ["old", "new"]
