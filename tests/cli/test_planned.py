"""What is told of a plan before it is carried out: its trainings, and models that are not for the data."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.planned import in_words, planned_trainings
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import PreflightError
from harness.planning.plan import Plan, make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from harness.training.job import place_of
from kit.command import Session

DETECTION = Request(codecs=("jpeg@50,15",), tasks=("detection",), limit=2)
RETRAINED = replace(DETECTION, retrain=("matched", "clean"), settings=("iterations=7",), seeds=2)


def plan_of(request: Request) -> Plan:
    return make_plan(resolve(request, installed(), load_registry(())))


def test_trainings_are_listed_once_with_what_is_done_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    plan = plan_of(RETRAINED)
    listed = planned_trainings(plan)
    assert [(one.training, one.seed, one.iterations, one.status) for one in listed] == [
        (f"{data}{', seed 1' * seed}", seed, 7, "to do") for data in ("jpeg@15", "clean") for seed in (0, 1)
    ]
    assert in_words(listed) == "4 trainings: 0 found, 4 to do (28 iterations)."
    first, second, *_ = [place_of(a_pass.job) for a_pass in plan.passes if a_pass.job]
    for place in (first, second):
        place.make()
        place.checkpoint.write_bytes(b"")
    first.weights.write_bytes(b"")
    assert [one.status for one in planned_trainings(plan)] == ["done", "begun", "to do", "to do"]
    assert in_words(planned_trainings(plan)) == "4 trainings: 1 found, 3 to do, 1 of them begun (21 iterations)."
    keys = [experiment.key for experiment in plan.experiments]
    assert planned_trainings(plan, keys) == []


def test_a_model_of_rendered_scenes_on_real_data_is_told(data_root: Path) -> None:
    real = replace(DETECTION, datasets=("coco",), data_roots=(("coco", str(data_root / "coco_mini")),))
    (note,) = plan_of(real).notes
    assert "demo-detector was trained on rendered scenes" in note
    assert "No --model was given: demo-detector is the default of task detection. Name another" in note
    (asked,) = plan_of(replace(real, models=("demo-detector",))).notes
    assert "No --model" not in asked
    assert plan_of(DETECTION).notes == ()


def test_a_default_model_that_does_not_know_the_classes_is_named_as_such(data_root: Path) -> None:
    asked = Request(
        codecs=("h264@30",), tasks=("action",), datasets=("ucf101",), data_roots=(("", str(data_root / "ucf101_mini")),)
    )
    with pytest.raises(PreflightError, match=r"No --model was given: demo-two-stream is the default of task action"):
        plan_of(asked)


def test_weights_are_looked_for_before_data_are_opened() -> None:
    with pytest.raises(PreflightError) as caught:
        plan_of(replace(DETECTION, weights="nowhere.pth", datasets=("voc",), data_roots=(("", "/no/such"),)))
    assert "nowhere.pth" in str(caught.value)
    assert "/no/such" not in str(caught.value)


def test_more_fps_than_the_clips_have_are_refused_before_the_run() -> None:
    asked = Request(codecs=("h264:fps=500@30",), tasks=("action",), limit=2)
    with pytest.raises(PreflightError, match=r"codec h264 on dataset demo: fps=500 is above the clip's own"):
        plan_of(asked)


def test_a_plan_refuses_the_databases_that_a_run_refuses(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    (tmp_path / "notes.db").write_text("no database" * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("create table bookmarks (url text)")
    before = (tmp_path / "other.db").read_bytes()
    words = ("--codec", "jpeg@50", "--task", "detection", "--limit", "2")
    for name in ("notes.db", "other.db", ".", "nowhere/harness.db", "nosuch://server/db"):
        told = [session.run(command, *words, "--db", name, status=2).stderr for command in ("plan", "run")]
        assert told[0] == told[1]
        assert "1 problem before the run could start" in told[0]
    assert (tmp_path / "other.db").read_bytes() == before
    assert "3 experiments, 3 to do" in session.run("plan", *words, "--codec", "webp@50").stdout  # a run makes the file
    assert not session.database.exists()
