"""`--weights FILE:key=NAME`: one entry of a file, in runs, in the identity of experiments, and when they are shown."""

from __future__ import annotations

import argparse
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.cli import main
from harness.files import sha256_file
from harness.training.job import Job
from harness.training.recipe import Recipe
from harness.weights import Weights, load_state, read_classes
from harness_plugins.demo_world.dataset import DemoWorld
from harness_tasks.detection.models.demo import WEIGHTS, DemoDetector

FEW = ("--limit", 2, "--workers", 0, "--threads", 1, "--resamples", 100, "--db", "w.db")


def run(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    """Both outputs of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert stop.value.code == status, found.err
    return " ".join((found.out + found.err).split())


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's detector as a script saves it: a half-trained network under DataParallel, and the whole one as ema."""
    monkeypatch.chdir(tmp_path)
    whole = {name: tensor.float() for name, tensor in load_state(WEIGHTS).items()}
    half = {f"module.{name}": tensor * 0.97 for name, tensor in whole.items()}
    content = {"model": half, "ema": whole, "epoch": 3, "args": argparse.Namespace(lr=0.1, out=Path("runs"))}
    torch.save(content, "last.pth")
    Path("last.json").write_text(json.dumps({"classes": list(read_classes(WEIGHTS))}))
    return tmp_path / "last.pth"


def test_an_entry_is_another_experiment(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("run", "-c", "jpeg@5", "-t", "detection", *FEW)
    said = run(capsys, *command, "--weights", "last.pth")
    assert "'model' was read; the file also has 'ema' (--weights last.pth:key=ema reads that)" in said
    assert "begin with 'module.' (DataParallel), which was taken off" in said
    said = run(capsys, *command, "--weights", "last.pth:key=ema")
    assert "was read" not in said
    assert "taken off" not in said
    run(capsys, *command)  # the same tensors, from the demo's own file
    with sqlite3.connect("w.db") as connection:
        rows = connection.execute(
            "select r.weights, r.value, e.identity from results r join experiments e on e.key = r.experiment "
            "where r.metric = 'AP' and r.codec = 'jpeg'"
        ).fetchall()
    values = {weights: value for weights, value, _ in rows}
    identities = {weights: json.loads(identity)["model"] for weights, _, identity in rows}
    assert values.keys() == {"last.pth", "last.pth:key=ema", WEIGHTS.name}
    assert values["last.pth:key=ema"] == values[WEIGHTS.name] != values["last.pth"]
    assert identities["last.pth"]["weights"] == identities["last.pth:key=ema"]["weights"] == sha256_file(checkpoint)
    assert identities["last.pth:key=ema"]["key"] == "ema"
    assert "key" not in identities["last.pth"], "experiments without a key keep their identity"
    assert "key" not in identities[WEIGHTS.name]


def test_an_entry_is_shown_again(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(capsys, "run", "-c", "jpeg@5", "-t", "detection", *FEW, "--weights", "last.pth:key=ema")
    shown = ("results", "show", "-t", "detection", "-c", "jpeg", "-o", "p.png", "--db", tmp_path / "w.db")
    run(capsys, *shown)  # found by its recorded name
    said = run(capsys, *shown, "--weights", checkpoint, status=2)
    assert "model.key: ema was recorded, nothing is here" in said
    assert "--weights FILE" in said
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run(capsys, *shown, "--weights", f"{checkpoint}:key=ema")


def test_an_entry_that_is_not_there_is_told_before_the_run(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "run", "-c", "jpeg@5", "-t", "detection", *FEW, "--weights", "last.pth:key=emma", status=2)
    assert "there is no entry 'emma'. The file has model (" in said
    assert "Did you mean ema?" in said


def test_a_model_that_opens_the_file_by_itself_is_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin written before there were keys would read another entry than was asked for."""
    whole = DemoDetector.load

    def load(model: DemoDetector, weights: Weights, *arguments: Any) -> None:
        assert weights.path is not None
        whole(model, replace(weights, key=None), *arguments)

    monkeypatch.setattr(DemoDetector, "load", load)
    said = run(capsys, "run", "-c", "jpeg@5", "-t", "detection", *FEW, "--weights", "last.pth:key=ema", status=2)
    assert "model demo-detector does not heed key=ema of weights last.pth" in said


def test_a_training_from_an_entry_is_another_training(checkpoint: Path) -> None:
    dataset = DemoWorld("detection", "test")
    dataset.open()
    model = DemoDetector()
    ema = model.resolve_weights("last.pth:key=ema", dataset.classes)
    job = Job(model, dataset, Recipe.of({"iterations": 1, "batch": 1, "lr": 0.1}, "r"), initial=ema)
    assert job.key() != replace(job, initial=replace(ema, key=None)).key()
    built, stored = model.build(dataset.classes, ema).state_dict(), load_state(WEIGHTS)
    assert all(torch.equal(built[name], stored[name].to(built[name].dtype)) for name in built)
