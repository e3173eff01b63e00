"""`harness compare`: paired differences against SciPy, means, selectors, and the command on real results."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_rel
from scipy.stats import t as student_t

from harness.decide.compared import comparison_data
from harness.decide.comparison import LadderComparison, compare
from harness.decide.levels import holm
from harness.decide.paired import Side
from harness.decide.rows import comparison_rows
from harness.results.cells import ResultCell
from harness.results.ladders import Ladder
from harness.results.resampled import RATE, ResampledMetric
from kit.command import Session
from kit.report import made_results
from kit.resamples import a_cell, drawn

LEVELS = {95.0: 4.0, 75.0: 2.0, 50.0: 1.0, 15.0: 0.5, 5.0: 0.25}


class Known:
    """Resamples of experiments by key: scores of samples, and a rate without spread."""

    def __init__(self, values: Mapping[str, np.ndarray], rates: Mapping[str, float]) -> None:
        self.values, self.rates = values, rates

    resamples = 1000

    def together(self, measures: Sequence[Any]) -> list[ResampledMetric]:
        return [self._one(cells[0].facts["experiment"], metric) for cells, metric in measures]

    def _one(self, key: str, metric: str) -> ResampledMetric:
        found = drawn(self.values[key], self.resamples)
        if metric == RATE:
            rates = np.full(self.resamples, self.rates[key])
            found = type(found)({RATE: self.rates[key]}, {RATE: rates}, found.groups, frozenset(), found.source)
        return ResampledMetric(metric, found, len(self.values[key]))


def both(
    gain: float = 0.0, saves: float = 0.0, noise: float = 0.05
) -> tuple[LadderComparison, Mapping[str, np.ndarray]]:
    """Two ladders of one codec: the second is better by `gain` at each level, at less rate by a share."""
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.1, 120)
    values, rates, sides = {"clean": base}, {"clean": 24.0}, []
    for name, more in (("a", 0.0), ("b", gain)):
        cells = []
        for place, (level, bpp) in enumerate(LEVELS.items()):
            key = f"{name}{level}"
            values[key] = base - 0.02 * place**2 + more + rng.normal(0, noise, 120)
            rates[key] = bpp * (1 - saves * (name == "b"))
            cells.append(a_cell(level, rates[key], experiment=key))
        sides.append(Side(name, Ladder("jpeg", name, tuple(cells)), a_cell(None, 24.0, experiment="clean")))
    known: Any = Known(values, rates)
    return compare(sides[0], sides[1], "value", known), values


def test_differences_at_equal_levels_are_those_of_the_paired_t_test() -> None:
    found, values = both(gain=0.03)
    for one in found.levels:
        first, second = values[f"a{one.level}"], values[f"b{one.level}"]
        expected = ttest_rel(second, first)
        interval = expected.confidence_interval(0.95)
        assert one.difference.value == pytest.approx(float((second - first).mean()))
        assert one.difference.low == pytest.approx(interval.low, abs=2e-3)
        assert one.difference.high == pytest.approx(interval.high, abs=2e-3)
        assert one.p is not None
        # The quantiles that belong to the two p-values: resampling makes an error, and the ends of a metric without
        # limits are a little wider.
        assert student_t.isf(one.p / 2, 119) == pytest.approx(abs(expected.statistic), rel=0.15)
    assert found.mean_difference is not None
    assert found.mean_difference.value == pytest.approx(np.mean([one.difference.value for one in found.levels]))


def test_holm_is_stricter_than_controlling_the_rate_of_false_discoveries_and_never_above_bonferroni() -> None:
    found, _ = both(gain=0.008, noise=0.06)
    plain = np.array([one.p for one in found.levels])
    adjusted = np.array([one.p_holm for one in holm(found.levels)])
    assert (adjusted >= false_discovery_control(plain) - 1e-12).all()
    assert (adjusted <= np.minimum(1, len(plain) * plain) + 1e-12).all()
    smallest = plain.argmin()
    assert adjusted[smallest] == pytest.approx(min(1, len(plain) * plain[smallest]))


def test_a_saving_of_a_fifth_lies_in_the_interval_of_the_bd_rate() -> None:
    found, _ = both(saves=0.2, noise=0.02)
    assert found.rate.value is not None
    assert found.rate.low is not None
    assert found.rate.high is not None
    assert found.rate.low < -20 < found.rate.high
    assert found.rate.high - found.rate.low < 25
    assert found.used[0] == found.used[1] == tuple(LEVELS)


def test_curves_that_end_in_a_plateau_have_intervals_that_hold() -> None:
    rates = np.array([5, 3, 1.8, 1, 0.6, 0.35, 0.2])
    true = np.array([0.7003, 0.7, 0.6985, 0.67, 0.62, 0.5, 0.38])
    held, lost = 0, 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        base = rng.normal(0, 0.15, 200)
        values: dict[str, np.ndarray] = {"clean": base + 0.71}
        bpp, sides = {"clean": 24.0}, []
        for name, share in (("a", 1.0), ("b", 0.8)):
            keys = [f"{name}{n}" for n in range(len(rates))]
            values |= {key: base + middle + rng.normal(0, 0.04, 200) for key, middle in zip(keys, true, strict=True)}
            bpp |= dict(zip(keys, rates * share, strict=True))
            cells = tuple(a_cell(n, bpp[key], experiment=key) for n, key in enumerate(keys))
            sides.append(Side(name, Ladder(name, "pretrained", cells), a_cell(None, 24.0, experiment="clean")))
        known: Any = Known(values, bpp)
        known.resamples = 200
        found = compare(sides[0], sides[1], "value", known).rate
        if found.low is None or found.high is None:
            assert found.value is None  # too few points rise, or Akima's curve leaves them
            lost += 1
        else:
            held += found.low < -20 < found.high
    assert lost <= 2
    assert held / (25 - lost) >= 0.85


def test_csv_of_a_metric_where_lower_is_better_has_its_own_range_and_says_which_is_better() -> None:
    def error(side: Side) -> Side:
        metric = {"value": replace(side.ladder.cells[0].metrics["value"], higher_is_better=False)}
        named = {"model": "m", "weights": "w"}
        cells = tuple(ResultCell({**cell.facts, **named}, metric) for cell in side.ladder.cells)
        return replace(side, ladder=replace(side.ladder, cells=cells))

    found, values = both(gain=0.03)
    cells = [cell for side in (found.first, found.second) for cell in side.ladder.cells]
    errors = {key: 2 - some for key, some in values.items()}
    known: Any = Known(errors, {"clean": 24.0} | {cell.facts["experiment"]: cell.facts["bpp"] for cell in cells})
    lower = compare(error(found.first), error(found.second), "value", known)
    table = comparison_rows("depth", lower)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    (rate,) = [row for row in rows if row["quantity"] == "bd_rate"]
    means = [some.mean() for some in errors.values()]
    assert min(means) <= rate["over_low"] < rate["over_high"] <= max(means)
    assert comparison_data(lower)["bd_rate"]["range"] == [rate["over_low"], rate["over_high"]]
    for row in rows:
        if row["quantity"] == "difference":
            assert row["value"] == pytest.approx(0.03, abs=0.02)  # the second has the smaller error
            assert row["of"] == "second against first"


def test_mean_performance_under_compression() -> None:
    found, values = both(gain=0.03)
    for side, means in zip(("a", "b"), found.means, strict=True):
        expected = np.mean([values[f"{side}{level}"].mean() for level in LEVELS])
        assert means.mpc.value == pytest.approx(expected)
        assert means.rpc.value == pytest.approx(expected / values["clean"].mean())
        assert means.rpc.low is not None
        assert means.rpc.low < means.rpc.value < means.rpc.high


def test_means_of_ladders_with_other_levels_are_over_those_that_both_have() -> None:
    found, values = both(gain=0.03)
    first, second = found.first, found.second
    few = replace(second, ladder=replace(second.ladder, cells=second.ladder.cells[1::2]))
    rates = dict.fromkeys(values, 24.0) | {c.facts["experiment"]: c.facts["bpp"] for c in first.ladder.cells}
    known: Any = Known(values, rates)
    part = compare(first, few, "value", known)
    assert [one.levels for one in part.means] == [(75.0, 15.0)] * 2
    assert part.mean_difference is not None
    before, after = (one.mpc.value for one in part.means)
    assert before is not None
    assert after is not None
    assert part.mean_difference.value == pytest.approx(after - before)


def test_a_metric_that_is_undefined_at_some_level_has_no_number_there() -> None:
    found, values = both()
    lost = {key: np.full(120, np.nan) if key == "b95.0" else some for key, some in values.items()}
    cells = [cell for side in (found.first, found.second) for cell in side.ladder.cells]
    known: Any = Known(lost, {"clean": 24.0} | {c.facts["experiment"]: c.facts["bpp"] for c in cells})
    undefined = compare(found.first, found.second, "value", known)
    at = {one.level: one for one in undefined.levels}
    assert at[95.0].first is not None
    assert at[95.0].second is None
    assert at[95.0].difference.reason
    assert undefined.unused[1] == (95.0,)
    assert undefined.means[1].rpc.reason == undefined.means[1].mpc.reason == at[95.0].difference.reason
    json.dumps(asdict(replace(undefined, first=0, second=0)), allow_nan=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made_results(tmp_path_factory.getbasetemp(), cache)


def test_pretrained_against_retrained_on_real_results(session: Session) -> None:
    found = json.loads(session.run("compare", "jpeg", "jpeg/matched", "--task", "detection", "--json").stdout)
    assert found["bd_rate"]["value"] is None
    assert "at least 4 each are needed" in found["bd_rate"]["reason"]
    gains = {
        row[0]: row[1:]
        for row in session.select(
            "SELECT level, pretrained, retrained, gain FROM recovery WHERE is_primary AND task = 'detection'"
            " AND train_mode = 'level' AND train_level = level"
        )
    }
    assert {one["level"] for one in found["levels"]} == set(gains) == {30.0, 5.0}
    for one in found["levels"]:
        assert (one["first"], one["second"], one["difference"]["value"]) == pytest.approx(gains[one["level"]])
        assert 0 <= one["p"] <= one["p_holm"] <= 1
    text = session.run_process("compare", "jpeg", "webp", "--task", "detection").stdout
    assert "3 and 2 points that rise" in text
    assert "no level in common" in text


def test_every_format_can_be_read_as_what_it_is(session: Session) -> None:
    asked = ("compare", "jpeg", "jpeg/matched", "--task", "detection")
    data = json.loads(session.run(*asked, "--json").stdout)
    assert json.loads(session.run(*asked, "--format", "json").stdout) == data
    rows = list(csv.DictReader(io.StringIO(session.run(*asked, "--format", "csv").stdout)))
    assert {row["task"] for row in rows} == {"detection"}
    found = {(row["quantity"], row["of"], row["level"]): row for row in rows}
    assert len(found) == len(rows)
    between = "second against first"
    for name in ("bd_rate", "bd_quality"):
        assert (found[name, between, ""]["value"], found[name, between, ""]["reason"]) == ("", data[name]["reason"])
    for one in data["levels"]:
        level = str(one["level"])
        assert float(found["metric", "first", level]["value"]) == one["first"]
        assert float(found["metric", "second", level]["value"]) == one["second"]
        difference = found["difference", between, level]
        told = [float(difference[name]) for name in ("value", "ci_low", "ci_high", "p", "p_holm")]
        assert told == [*(one["difference"][name] for name in ("value", "low", "high")), one["p"], one["p_holm"]]
    for side in ("first", "second"):
        for name in ("mpc", "rpc"):
            assert float(found[name, side, ""]["value"]) == data[side][name]["value"]
    assert float(found["mpc_difference", between, ""]["value"]) == data["mean_difference"]["value"]
    assert session.run(*asked, "--format", "latex").stdout.startswith("% detection: jpeg, matched against jpeg, by AP.")


def test_what_has_not_finished_is_told_and_names_move_no_cursor(session: Session, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    with closing(sqlite3.connect(session.database)) as source, closing(sqlite3.connect(broken)) as target:
        source.backup(target)
        target.execute("UPDATE experiments SET status = 'failed' WHERE codec = 'jpeg' AND level = 90")
        target.execute("UPDATE experiments SET model = 'a' || char(27) || '[31mb'")
        target.commit()
    told = session.run("compare", "jpeg", "jpeg/matched", "--task", "detection", "--db", str(broken))
    assert "not finished, and left out: detection, jpeg at quality 90, pretrained (failed)" in told.stderr
    told = session.run("recommend", "--max-drop", "50%", "--format", "csv", "--db", str(broken), status=None)
    assert "detection, jpeg at quality 90, pretrained (failed)" in told.stderr
    assert {row["task"] for row in csv.DictReader(io.StringIO(told.stdout))} == {"detection", "segmentation"}
    asked = ("compare", "jpeg", "jpeg/matched", "--task", "detection", "--model", "other", "--db", str(broken))
    refused = session.run(*asked, status=2).stderr
    assert "a\\x1b[31mb" in refused
    assert "\x1b" not in refused


def test_what_cannot_be_compared_is_told(session: Session) -> None:
    for arguments, words in (
        (("jpeg", "jpg"), "Did you mean 'jpeg'?"),
        (("jpeg", "jpeg"), "jpeg and jpeg are the same"),
        (("jpeg", "jpeg/jpeg@30"), "tested there alone is part of /matched"),
        (("jpeg", "jpeg/matchd"), "no finished results fit jpeg/matchd. Did you mean 'matched'?"),
        (("jpeg", "webp", "--model", "demo-detectr"), "--model demo-detectr. Did you mean 'demo-detector'?"),
        (("jpeg", "webp", "--task", "segmentation"), "--task was given 2 times, and takes one value"),
        (("jpeg", "jpeg/mixed"), "no finished results fit jpeg/mixed"),
        (("jpeg", "webp", "--metric", "mIoU"), "has the metric 'mIoU'"),
        (("jpeg", "webp", "--model", "a", "--model", "b", "--model", "c"), "given 3 times"),
    ):
        assert words in session.run("compare", *arguments, "--task", "detection", status=2).stderr
    assert "no finished experiments" in session.run("compare", "a", "b", "--task", "pose", status=2).stderr
