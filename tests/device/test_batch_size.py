"""`--batch auto`: measured once for a model, a device, a precision and a shape, and found again by later runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.device import batch_size, machine
from harness.device.batch_size import BatchChoice, choose_size, sized
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import HarnessError, UsageError
from harness.files import read_sealed, write_sealed
from harness.planning.grid import Grid
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve
from kit.command import Session

REQUEST = Request(codecs=("jpeg@50",), tasks=("detection",), limit=2, batch="auto")
SETTINGS = machine.choose("cpu", "fp32", 0, 1)


def grid_of(request: Request = REQUEST) -> Grid:
    return resolve(request, installed(), load_registry(()))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> Path:
    """A cache folder of its own, with the rendered scenes of all tests, and short measurements."""
    for folder in cache.iterdir() if cache.is_dir() else ():
        if folder.name != "batches":
            (tmp_path / folder.name).symlink_to(folder)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(batch_size, "SECONDS", 0.0)
    monkeypatch.setattr(batch_size, "PASSES", 1)
    monkeypatch.setattr(batch_size, "MOST", 4)
    return tmp_path


@pytest.mark.parametrize(
    ("speeds", "chosen"),
    [
        ({1: 10.0, 2: 10.4}, 1),
        ({1: 10.0, 2: 10.6, 4: 11.0}, 2),
        ({1: 10.0, 2: 20.0, 4: 40.0, 8: None}, 4),
        ({1: 10.0, 2: 5.0, 4: 99.0}, 1),
        ({2**n: 10.0 * 2**n for n in range(12)}, 256),
    ],
)
def test_a_batch_doubles_while_it_is_worth_it(speeds: dict[int, float | None], chosen: int) -> None:
    asked: list[int] = []

    def speed_of(size: int) -> float | None:
        asked.append(size)
        return speeds[size]

    found = choose_size(speed_of)
    assert found is not None
    assert found.batch == chosen
    assert asked == [2**n for n in range(len(asked))]
    assert [size for size, _ in found.speeds] == [size for size in asked if speeds[size] is not None]


def test_without_memory_for_one_sample_there_is_no_size() -> None:
    assert choose_size(lambda size: None) is None


def test_it_is_measured_once_and_then_found(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    first = sized(grid_of(), SETTINGS, said.append)
    (path,) = (quick / "batches").iterdir()
    kept = json.loads(bytes(read_sealed(path) or b""))
    assert kept["batch"] == first.subjects[0].batch
    assert re.fullmatch(
        r"batch \d for model demo-detector on demo, measured now \(samples/s: .* with 1, .*\)\.", said[0]
    )

    def measured(*_: Any) -> BatchChoice:
        raise AssertionError("it was measured again")

    write_sealed(path, json.dumps({**kept, "batch": 3}).encode())
    monkeypatch.setattr(batch_size, "_measured", measured)
    again = sized(grid_of(), SETTINGS, said.append, measure=False)
    assert again.subjects[0].batch == 3
    assert "as measured before" in said[1]
    assert {experiment.batch for experiment in make_plan(again).experiments} == {3}
    whole = sized(grid_of(replace(REQUEST, limit=None)), SETTINGS, said.append)  # a subset does not matter
    assert whole.subjects[0].batch == 3
    keys = {experiment.key for experiment in make_plan(again).experiments}
    assert keys == {experiment.key for experiment in make_plan(grid_of(replace(REQUEST, batch=3))).experiments}


@pytest.mark.parametrize("settings", [replace(SETTINGS, precision="bf16"), replace(SETTINGS, compiled=True)])
def test_another_precision_is_measured_anew(quick: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_measured", lambda *_: BatchChoice(2, ((1, 1.0),)))
    sized(grid_of(), SETTINGS, lambda text: None)
    with pytest.raises(UsageError, match=r"--batch auto: nothing was measured yet for model demo-detector on demo"):
        sized(grid_of(), settings, lambda text: None, measure=False)
    sized(grid_of(), settings, lambda text: None)
    assert len(list((quick / "batches").iterdir())) == 2


def test_a_damaged_file_is_measured_anew(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_measured", lambda *_: BatchChoice(2, ((1, 1.0),)))
    sized(grid_of(), SETTINGS, lambda text: None)
    (path,) = (quick / "batches").iterdir()
    for content in (
        "",
        "{",
        '{"batch": 0, "samples_per_second": []}',
        '{"batch": "x", "samples_per_second": []}',
        "[]",
    ):
        write_sealed(path, content.encode())
        assert sized(grid_of(), SETTINGS, lambda text: None).subjects[0].batch == 2
        assert json.loads(bytes(read_sealed(path) or b""))["batch"] == 2
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"batch": 2', b'"batch": 3'))
    assert sized(grid_of(), SETTINGS, lambda text: None).subjects[0].batch == 2
    assert path.read_bytes() == whole


def test_memory_that_does_not_suffice_ends_it(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = installed().get("model", "demo-faster-rcnn")
    predict = model.predict

    def short_of_memory(self: Any, batch: torch.Tensor) -> Any:
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return predict(self, batch)

    monkeypatch.setattr(model, "predict", short_of_memory)
    monkeypatch.setattr(batch_size, "LEAST_GAIN", 0.0)  # any batch is worth it
    most = 2
    assert sized(grid_of(), SETTINGS, lambda text: None).subjects[0].batch == 2
    most = 0
    with pytest.raises(HarnessError, match="model demo-detector needs more memory for one sample than there is"):
        sized(grid_of(), replace(SETTINGS, precision="bf16"), lambda text: None)


def test_samples_that_cannot_be_read_are_left_out(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of(replace(REQUEST, limit=None))
    dataset = type(grid.subjects[0].dataset)
    read = dataset.__getitem__

    def damaged(self: Any, index: int) -> Any:
        if index < broken:
            raise OSError(f"sample {index} is cut short")
        return read(self, index)

    monkeypatch.setattr(dataset, "__getitem__", damaged)
    broken = 3
    assert sized(grid, SETTINGS, lambda text: None).subjects[0].batch >= 1
    broken = 1000
    with pytest.raises(HarnessError, match=r"--batch auto: no sample of demo can be prepared: sample \d+ is cut short"):
        sized(grid, replace(SETTINGS, precision="bf16"), lambda text: None)


def test_a_model_that_fails_is_no_lack_of_memory(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, batch: torch.Tensor) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(installed().get("model", "demo-faster-rcnn"), "predict", broken)
    with pytest.raises(HarnessError, match="--batch auto: model demo-detector, batch 1: shapes do not fit"):
        sized(grid_of(), SETTINGS, lambda text: None)


def test_runs_find_each_other_s_experiments(quick: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, quick)
    few = ("--task", "segmentation", "--codec", "jpeg@50", "--limit", "2", "--device", "cpu", "--batch", "auto")
    told = session.run("plan", *few, status=2).stderr
    assert "harness run measures it; or give a number" in told
    first = session.run("run", *few, "--resamples", "100")
    assert "measured now" in first.stderr
    again = session.run("run", *few)
    assert "as measured before" in again.stderr
    assert "2 experiments, all found in the database." in again.stderr
    assert "2 experiments, 0 to do" in session.run("plan", *few).stdout
    assert "is neither a whole number nor auto" in session.run("run", *few[:-1], "many", status=2).stderr
    (tmp_path / "it.toml").write_text('task = "segmentation"\ncodec = "jpeg@50"\nlimit = 2\nbatch = "auto"\n')
    assert "all found in the database" in session.run("run", "it.toml", "--device", "cpu").stderr
