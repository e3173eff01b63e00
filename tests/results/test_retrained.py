"""What retraining won back, as tables, matrix and figures: from a database with trainings from two seeds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.experiment import Experiment, Training
from harness.finish.found import Quartet, unrecovered
from harness.finish.recovery import recoveries
from harness.keep.processes import this_process
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.records import Claim, Comparison, Totals
from harness.results.cells import read_cells
from harness.results.figures.curves import curve_figure
from harness.results.figures.heat_map import heat_map
from harness.results.figures.lines import trainings_drawn
from harness.results.seeds import average_over_seeds
from harness.results.tables.matrix import matrices
from harness.results.tables.results import FORMATS
from harness.statistics.intervals import Replicates
from harness.store import Filters
from harness_plugins.sql_store import SqlStore
from harness_plugins.study.published import published_tables
from kit.command import run
from kit.store_rows import INFO, NONE_KEY, cell, metric, put_results

LEVELS = (None, 95.0, 5.0)
BPP = {None: 24.0, 95.0: 4.0, 5.0: 0.3}
PRETRAINED = {None: 0.8, 95.0: 0.7, 5.0: 0.1}
HALF = 12.7062 * 0.01
"""Student's quantile for one degree of freedom, times the standard error of two values 0.02 apart."""


def at_level(level: float | None, training: Training | None = None) -> Experiment:
    """Detection with the pretrained model, or a retrained one."""
    changes: dict[str, Any] = {"training": training, "baseline": NONE_KEY} if training else {}
    one = cell("none", None, **changes) if level is None else cell(level=level, **changes)
    return replace(one, seed=training.seed) if training and training.seed is not None else one


def trainings(seed: int, recipe: str = "s") -> dict[str, Training]:
    """The control, one at quality 5, and one at mixed levels."""
    control = f"{recipe} clean {seed}"
    common = {"seed": seed, "control": control}
    return {
        "clean": Training(
            "retrained", None, None, "clean", None, checkpoint=control, series=f"{recipe} clean", **common
        ),
        "5": Training("retrained", "jpeg", 5.0, "level", checkpoint=f"{recipe} {seed}", series=recipe, **common),
        "mixed": Training("retrained", "jpeg", None, "mixed", checkpoint=f"mixed {seed}", series="mixed", **common),
    }


GAINS = {"clean": 0.01, "5": 0.3, "mixed": 0.2}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Detection pretrained, and retrained in three ways from two seeds; seed 1 is better by 0.02."""
    file = tmp_path_factory.mktemp("retrained") / "harness.db"
    store = SqlStore(str(file))
    store.open()
    claim = Claim(this_process(), store.begin_run(INFO))

    def finish(one: Experiment, value: float) -> None:
        store.register([one], claim.run)
        store.claim([one.key], claim)
        totals = Totals(4, 0, bpp=BPP[one.level])
        store.finish(one.key, claim, totals, [metric("AP", value, value - 0.1, value + 0.1), metric("AR", value / 2)])

    for level in LEVELS:
        finish(at_level(level), PRETRAINED[level])
    before = Training("retrained", "jpeg", 5.0, "level", seed=0, checkpoint="old", control="no", series="old recipe")
    finish(at_level(5.0, before), 0.9)
    claim = Claim(this_process(), store.begin_run(INFO))
    for seed, level in product((0, 1), LEVELS):
        for name, training in trainings(seed).items():
            one = at_level(level, training)
            gain = GAINS[name] * (level == 5.0) + 0.02 * seed
            finish(one, PRETRAINED[level] + gain)
            if level is not None and name != "clean":
                pretrained = at_level(level).key
                low, high = gain - 0.05, gain + 0.05
                store.compare([Comparison(one.key, pretrained, "AP", "gain", gain, low, high, 4)])
                loss = PRETRAINED[None] - PRETRAINED[level]
                share = (gain / loss, low / loss, high / loss) if level == 5.0 else (None, None, None)
                store.compare([Comparison(one.key, pretrained, "AP", "recovery", *share, 4)])
            if level is None:
                store.compare([Comparison(one.key, NONE_KEY, "AP", "drop", 0.01, -0.02, 0.04, 4)])
    store.end_run(claim.run, "finished")
    store.close()
    return file


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_has_one_row_for_the_seeds_of_a_training(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "results", "--db", database)
    (matched,) = [
        line for line in text.splitlines() if "matched jpeg@5" in line and f"0.410 [0.310, 0.510] ±{HALF:.3f}" in line
    ]
    assert matched.split()[0] == "0,"
    assert "Means over 2 seeds of each training; ±: half their 95% interval (Student's)" in text
    (old,) = [line for line in text.splitlines() if "old reci" in line]
    assert "matched jpeg@5" in old
    assert "old reci" not in matched
    assert "series: tells trainings of one name apart" in text
    long = json.loads(run(capsys, "results", "--db", database, "-f", "json", "--metric", "AP"))
    assert len(long) == 3 + 1 + 2 * 3 * 3
    assert {row["seed"] for row in long if row["train_mode"] == "mixed"} == {0, 1}


def test_recovery_is_read_in_a_table(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "results", "--db", database, "recovery", "-f", "csv")
    long = rows_of(text)
    assert len(long) == 1 + 2 * 2 * 2
    one = next(row for row in long if row["train_mode"] == "mixed" and row["level"] == "5.0" and row["seed"] == "1")
    assert float(one["recovery"]) == pytest.approx(0.22 / 0.7)
    assert (one["cost_on_none"], one["cost_on_none_ci_high"]) == ("0.01", "0.04")
    lines = run(capsys, "results", "recovery", "--db", database).splitlines()
    assert lines[0] == "detection: rcnn on streets/test: AP"
    (row,) = [line for line in lines if "matched jpeg@5" in line and "0.410" in line]
    for words in (
        *("0.100", f"0.410 ±{HALF:.3f}", f"0.120 ±{HALF:.3f}"),
        *(
            f"0.310 [0.260, 0.360] ±{HALF:.3f}",
            f"0.443 [0.371, 0.514] ±{HALF / 0.7:.3f}",
            "0.010 [-0.020, 0.040] ±0.000",
        ),
    ):
        assert words in row
    assert any("-: no share of a loss that is not significantly above 0" in line for line in lines)
    two = run(capsys, "results", "recovery", "--db", database, "--metric", "AP", "--metric", "AR")
    assert two.count("detection: rcnn on streets/test: A") == 2
    assert "Did you mean 'AR'?" in run(capsys, "results", "recovery", "--db", database, "--metric", "ARR", status=2)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("command", ["recovery", "matrix", "tables"])
def test_every_format(database: Path, capsys: pytest.CaptureFixture[str], command: str, format_: str) -> None:
    for arguments in (("-f", format_, command), (command, "-f", format_)):
        text = run(capsys, "results", "--db", database, *arguments)
        assert text.endswith("\n")
        assert len(text.splitlines()) > 2


def test_the_matrix_of_train_and_test_levels(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "results", "--db", database, "matrix", "-t", "detection", "-c", "jpeg").splitlines()
    assert lines[0] == "detection: rcnn on streets/test, jpeg: AP"
    assert lines[1].split() == ["trained", "on", "none", "quality", "95", "quality", "5"]
    found = {line.split()[0]: line.split()[1:] for line in lines[2:6]}
    assert list(found) == ["pretrained", "clean", "mixed", "5"]
    margin = f"±{HALF:.3f}"
    assert found["pretrained"] == ["0.800", "0.700", "0.100"]
    assert found["5"] == ["0.810", margin, "0.710", margin, "0.410", margin, "*"]
    long = rows_of(run(capsys, "results", "--db", database, "matrix", "-f", "csv"))
    (one,) = [row for row in long if (row["trained_on"], row["level"]) == ("5", "5.0")]
    assert (float(one["value"]), one["seeds"]) == (pytest.approx(0.41), "2")
    assert float(one["seeds_margin"]) == pytest.approx(HALF, rel=1e-4)
    before = run(capsys, "results", "--db", database, "-t", "detection", "-c", "jpeg", "matrix")
    assert before.splitlines() == lines
    assert "no results of codec 'webp'" in run(capsys, "results", "--db", database, "-c", "webp", "recovery", status=2)
    assert "no results of codec 'webp'" in run(capsys, "results", "--db", database, "matrix", "-c", "webp", status=2)


def opened(database: Path) -> SqlStore:
    store = SqlStore(str(database))
    store.open(write=False)
    return store


def test_the_heat_map_holds_the_values_and_frames_what_matches(database: Path) -> None:
    store = opened(database)
    (found,) = matrices(read_cells(store, Filters()))
    store.close()
    axes, bar = heat_map(found).axes
    texts = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    assert len(texts) == 4 * 3
    assert (texts[0, 0], texts[2, 3]) == ("0.800", f"0.410\n±{HALF:.3f}")
    assert {tuple(patch.get_xy()) for patch in axes.patches} == {(1.54, 2.54)}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["pretrained", "clean", "mixed", "5"]
    assert bar.get_ylabel() == "AP"


def drawn(database: Path, *words: str) -> dict[str, Any]:
    """The lines of the curve by their names."""
    store = opened(database)
    columns, rows = store.view("results", Filters({"metric": ["AP"], "status": ["finished"]}))
    store.close()
    records = trainings_drawn([dict(zip(columns, row, strict=True)) for row in rows], words)
    (axes,) = curve_figure(records).axes
    return {str(line.get_label()): line for line in axes.get_lines() if not str(line.get_label()).startswith("_")}


def test_pretrained_and_retrained_are_told_apart(database: Path) -> None:
    lines = drawn(database)
    assert set(lines) == {
        *("jpeg, pretrained", "jpeg, clean", "jpeg, matched jpeg"),
        *("jpeg, mixed jpeg", "jpeg, jpeg@5", "uncompressed"),
    }
    assert list(lines["jpeg, matched jpeg"].get_ydata()) == [pytest.approx(0.41)]
    assert list(lines["jpeg, jpeg@5"].get_ydata()) == [pytest.approx(0.41), pytest.approx(0.71)]
    styles = {name: (line.get_linestyle(), line.get_markerfacecolor()) for name, line in lines.items()}
    assert styles["jpeg, pretrained"][0] == "-"
    assert styles["jpeg, clean"] == ("--", "white")
    assert set(drawn(database, "pretrained", "matched")) == {
        *("jpeg, pretrained", "jpeg, matched jpeg", "uncompressed"),
    }
    assert set(drawn(database, "jpeg@5")) == {"jpeg, jpeg@5", "uncompressed"}


def test_plots_and_bad_requests(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "p.png"
    common = ("plot", "--db", database, "-t", "detection", "-o", picture)
    assert run(capsys, *common, "--kind", "matrix") == f"{picture}: 12 results\n"
    assert picture.read_bytes()[:4] == b"\x89PNG"
    run(capsys, *common, "--training", "matched")
    said = run(capsys, *common, "--training", "matchd", status=2)
    assert "--training matchd: neither pretrained, matched, mixed, clean, nor a level" in said
    assert "training 7 to draw" in run(capsys, *common, "--training", "7", status=2)
    said = run(capsys, *common, "--kind", "matrix", "--metric", "AQ", status=2)
    assert "no such metric 'AQ' in these results. There is: AP, AR." in said


def test_a_run_knows_what_was_finished_and_not_compared(tmp_path: Path) -> None:
    """As kill -9 leaves it between the last experiment and the comparisons."""
    store = SqlStore(str(tmp_path / "harness.db"))
    store.open()
    none, pretrained = put_results(store)
    retrained = at_level(50.0, trainings(0)["5"])
    plan = [none, pretrained, retrained]
    assert not unrecovered(store, plan)
    claim = Claim(this_process(), store.begin_run(INFO))
    store.register([retrained], claim.run)
    store.claim([retrained.key], claim)
    store.finish(retrained.key, claim, Totals(4, 0, bpp=2.0), [metric("AP", 0.45)])
    assert unrecovered(store, plan)
    for kind in ("gain", "recovery", "study_gain"):
        store.compare([Comparison(retrained.key, pretrained.key, "AP", kind, 0.1, None, None, 4)])
    assert not unrecovered(store, plan)
    store.close()


@pytest.mark.parametrize(("task", "metric_", "share"), [("pose", "AP", 78.4), ("depth", "rmse", 20.0)])
def test_the_gain_as_the_study_prints_it(task: str, metric_: str, share: float) -> None:
    """(.454 - .098) / .454 where higher is better, (.0749 - .0599) / .0749 where lower is."""
    study, made = published_tables()[task], installed().get("task", task)()
    values = {
        "base": study.pretrained[metric_][0],
        "before": study.pretrained[metric_][-1],
        "after": study.retrained[metric_][-1],
    }
    noise = np.random.default_rng(1).normal(0, 1e-3, (3, 200))

    def drawn(keys: Sequence[str]) -> tuple[list[Replicates], int]:
        draws = [values[key] * (1 + its) for key, its in zip(keys, noise, strict=True)]
        found = [
            Replicates({metric_: values[key]}, {metric_: its}, 50, frozenset(), "same")
            for key, its in zip(keys, draws, strict=True)
        ]
        return found, 50

    found = recoveries(Quartet("base", "before", "after", None), made, drawn)
    (study_gain,) = [one for one in found if (one.metric, one.kind) == (metric_, "study_gain")]
    assert study_gain.value is not None
    assert round(100 * study_gain.value, 1) == share
    assert study_gain.ci_low is not None
    assert study_gain.ci_high is not None
    assert study_gain.ci_low < study_gain.value < study_gain.ci_high


def test_a_plan_knows_which_experiments_belong_together() -> None:
    asked = Request(("jpeg@50,5",), ("detection",), limit=2, retrain=("5", "clean"), seeds=2)
    found = make_plan(resolve(asked, installed(), load_registry())).experiments
    retrained = [one for one in found if one.training.kind == "retrained"]
    assert len(found) == 3 + 2 * 2 * 3
    assert len({one.training.checkpoint for one in retrained}) == 4
    assert {one.training.series for one in found if one.training.kind == "pretrained"} == {None}
    assert len({one.training.series for one in retrained}) == 2
    assert len({one.cell for one in found}) == 3  # uncompressed and two levels
    assert len({one.ladder for one in found}) == 2
    assert {one.training.control for one in retrained} == {
        one.training.checkpoint for one in retrained if one.training.mode == "clean"
    }


def test_the_view_and_the_tables_agree_on_seeds(database: Path) -> None:
    store = opened(database)
    columns, rows = store.view("seeds", Filters({"metric": ["AP"]}))
    cells = average_over_seeds(read_cells(store, Filters()))
    store.close()
    seen = [dict(zip(columns, row, strict=True)) for row in rows]
    viewed = {(one["series"], one["level"]): one for one in seen}
    shown = {(one.facts["series"], one.facts["level"]): one for one in cells if one.facts["series"]}
    assert viewed.keys() == shown.keys()
    for place, one in shown.items():
        found, its = viewed[place], one.metrics["AP"]
        assert (found["seeds"], found["mean"]) == (one.seeds, pytest.approx(its.value))
        if one.seeds > 1:
            assert found["ci_high"] - found["mean"] == pytest.approx(its.margin)
        else:
            assert (found["ci_high"], its.margin) == (None, None)
