"""`harness results show`: the same sample at several levels, run again exactly as it was recorded, or refused."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from harness.cli import main
from harness.show.panel import Row, Tile, Zoom, lay_out, zoom_for
from harness.weights import load_state, save_state
from harness_plugins.demo_world.dataset import DemoWorld
from harness_tasks.detection.models.demo import DemoDetector

SAMPLES = 3
MARGIN, GAP, ABOVE = 16, 12, 31 + 27 + 27 + 22
"""Pixels around and between pictures; what title, heading, title and note of the first line take."""


def run(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    """Both outputs of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert stop.value.code == status, found.err
    return found.out + found.err


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo detection on three scenes, uncompressed and at two levels; only certainties are drawn, which are none."""
    file = tmp_path_factory.mktemp("show") / "harness.db"
    arguments = ["run", "-c", "jpeg@50,5", "-t", "detection:confidence=1", "--limit", str(SAMPLES), "--db", str(file)]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--workers", "0", "--threads", "1", "--resamples", "100", "--quiet"])
    assert stop.value.code == 0
    return file


def ids(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return [r[0] for r in connection.execute("select distinct sample from samples order by sample_index")]


def source(sample: str) -> np.ndarray:
    dataset = DemoWorld("detection", "test")
    dataset.open()
    return dataset[int(sample.removeprefix("test-"))].frames[0]


def test_a_panel_holds_truth_source_and_levels(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel = tmp_path / "panel.png"
    said = run(capsys, "results", "show", "-t", "detection", "-c", "jpeg", "-s", 1, "-o", panel, "--db", database)
    pixels = np.asarray(Image.open(panel))
    width = 2 * MARGIN + 4 * 512 + 3 * GAP
    assert said == f"{panel}: 1 samples, {width}x{pixels.shape[0]} pixels\n"
    assert pixels.shape == (2 * MARGIN + ABOVE + 384 + GAP + 22, width, 3)
    truth, none, mild, strong = (
        pixels[MARGIN + ABOVE :, MARGIN + n * (512 + GAP) :][:384, :512].astype(int) for n in range(4)
    )
    image = source(ids(database)[1]).repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(none, image)
    assert 0.01 < (truth != image).any(axis=2).mean() < 0.5  # boxes and their names
    errors = [np.abs(shown - image).mean() for shown in (mild, strong)]
    assert 1 < errors[0] < errors[1]
    assert np.array_equal(strong[::2, ::2], strong[1::2, 1::2])


def test_samples_by_id_a_part_of_the_picture_and_levels(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel, (first, *_, last) = tmp_path / "panel.png", ids(database)
    common = ("results", "--db", database, "show", "-t", "detection", "-c", "jpeg", "-o", panel)
    run(capsys, *common, "--level", 5, "-s", last, "-s", 0, "--crop", "10,20,64,48", "--columns", 3)
    pixels = np.asarray(Image.open(panel))
    assert pixels.shape[1] == 2 * MARGIN + 3 * 448 + 2 * GAP
    below = 27 + 27 + 22 + 336 + GAP
    assert pixels.shape[0] == 2 * MARGIN + 31 + 2 * below + 22
    for sample, top in ((last, MARGIN + ABOVE), (first, MARGIN + ABOVE + below)):
        part = source(sample)[20:68, 10:74].repeat(7, axis=0).repeat(7, axis=1)
        assert np.array_equal(pixels[top:, MARGIN + 448 + GAP :][:336, :448], part)


def test_the_worst_samples(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    panel = tmp_path / "panel.png"
    with sqlite3.connect(database) as connection:
        query = """select none.sample from experiments a join per_sample none on none.experiment = a.key
            join per_sample strong on strong.sample = none.sample
            join experiments b on b.key = strong.experiment
            where a.codec = 'none' and b.level = 5 order by none.score - strong.score desc"""
        ((worst,), *_) = connection.execute(query)
    run(capsys, "results", "show", "-t", "detection", "-c", "jpeg", "--worst", 1, "-o", panel, "--db", database)
    tile = np.asarray(Image.open(panel))[MARGIN + ABOVE :, MARGIN + 512 + GAP :][:384:2, :512:2]
    assert np.array_equal(tile, source(worst))


def test_another_version_is_refused(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL, "__version__", "0.1")
    said = run(
        capsys, "results", "show", "-t", "detection", "-c", "jpeg", "-o", tmp_path / "p.png", "--db", database, status=2
    )
    assert "what is here would not give the same results" in said
    assert "codec.fingerprint.pillow: 1" in said
    assert "was recorded, 0.1 is here" in said
    assert not (tmp_path / "p.png").exists()


def test_an_altered_record_is_noticed(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.db"
    shutil.copy(database, other)
    with sqlite3.connect(other) as connection:
        connection.execute("update samples set bits = bits + 8, score = 0.123 where bits < 100000")
    common = ("results", "show", "-t", "detection", "-c", "jpeg@5", "-o", tmp_path / "p.png", "--db", other)
    said = run(capsys, *common)
    assert "bits were recorded" in said
    assert "recorded score is 0.1230" in said
    with sqlite3.connect(other) as connection:
        connection.execute("update samples set status = 'failed', error = 'cut short' where bits < 100000")
    assert "failed in jpeg@5: cut short" in run(capsys, *common, status=2)


def test_weights_of_ones_own_are_needed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = DemoDetector().resolve_weights(None, ())
    assert own.path is not None
    state = {name: tensor * torch.tensor(1.001, dtype=tensor.dtype) for name, tensor in load_state(own.path).items()}
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    save_state(home / "mine.safetensors", state, own.classes)
    few = ("--limit", 1, "--workers", 0, "--threads", 1, "--resamples", 100, "--db", tmp_path / "w.db", "-q")
    run(capsys, "run", "-c", "jpeg@5", "-t", "detection", "--weights", "mine.safetensors", *few)
    common = ("results", "show", "-t", "detection", "-c", "jpeg", "-o", tmp_path / "p.png", "--db", tmp_path / "w.db")
    run(capsys, *common)
    monkeypatch.chdir(tmp_path)
    assert "Name the weights they were run with: --weights FILE." in run(capsys, *common, status=2)
    run(capsys, *common, "--weights", home / "mine.safetensors")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-c", "webp"), "no finished experiment of task detection with codec webp. It has: jpeg@50,5"),
        (("-c", "jpeg", "--level", "7"), "with codec jpeg@7. It has: jpeg@50,5"),
        (("-c", "jpeg:optimize=true"), "It has: jpeg@50,5"),
        (("-c", "jpeg", "-s", "9"), "numbered 0 to 2. The first ids: test-"),
        (("-c", "jpeg", "-s", "0", "--worst", "1"), "exclude each other"),
        (("-c", "jpeg", "--frame", "2"), "is scored on frames 0 only"),
        (("-c", "jpeg", "--crop", "250,0,64,48"), "reaches beyond the picture of 256x192"),
        (("-c", "jpeg", "--crop", "1,2,3"), "is not x,y,width,height"),
        (("-c", "jpeg", "-m", "demo-detektor"), "Did you mean 'demo-detector'?"),
        (("-c", "jpeg", "--limit", "8"), "no such experiments of 8 samples"),
    ],
)
def test_bad_requests(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    common = ("results", "show", "-t", "detection", "-o", tmp_path / "p.png", "--db", database)
    assert said in run(capsys, *common, *arguments, status=2)
    assert ".png, .jpg" in run(capsys, *common[:4], "-c", "jpeg", "-o", "p.bmp", "--db", database, status=2)


def test_lines_wrap_and_rows_begin_anew() -> None:
    def tile(width: int, value: int) -> Tile:
        return Tile(np.full((60, width, 3), value, np.uint8), "title", "note")

    rows = (Row(tuple(tile(500, n) for n in range(5)), "one"), Row((tile(200, 100),)))
    pixels = np.asarray(lay_out(rows, "words " * 100, "a note"))
    assert pixels.shape[1] == 2 * MARGIN + 3 * 500 + 2 * GAP  # five in two lines of three
    assert [int((pixels[:, MARGIN + 250] == n).all(axis=1).sum()) for n in (0, 3, 100)] == [60, 60, 0]
    assert int((pixels[:, MARGIN + 100] == 100).all(axis=1).sum()) == 60


def test_small_pictures_are_enlarged_and_large_ones_reduced() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert Zoom(3)(image).shape == (12, 18, 3)
    assert np.array_equal(Zoom(3)(image)[1::3, 1::3], image)
    assert Zoom(0.5)(image).shape == (2, 3, 3)
    assert zoom_for(2048)(np.zeros((1024, 2048, 3), np.uint8)).shape == (520, 1040, 3)


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo detection on one scene at one level, and after one step of training that spoils the model."""
    file = tmp_path_factory.mktemp("retrained") / "harness.db"
    recipe = [word for value in ("iterations=1", "batch=1", "lr=0.1", "warmup=0") for word in ("--set", value)]
    arguments = ["run", "-c", "jpeg@50", "-t", "detection:confidence=1", "--retrain", "50", *recipe, "--limit", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(file.parent / "cache"))
        with pytest.raises(SystemExit) as stop:
            main([*arguments, "--workers", "0", "--threads", "1", "--resamples", "100", "--quiet", "--db", str(file)])
    assert stop.value.code == 0
    return file


def test_a_retrained_model_beside_the_pretrained_one(
    retrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel = tmp_path / "panel.png"
    common = ("results", "show", "-t", "detection", "-c", "jpeg", "-o", panel, "--db", retrained)
    said = run(capsys, *common, "--training", "matched", "--plain")
    with sqlite3.connect(retrained) as connection:
        query = "select training, s.score from samples s join experiments e on e.id = s.experiment_id where level = 50"
        scores = dict(connection.execute(query))
        ((path,),) = connection.execute("select path from checkpoints")
    assert scores["retrained"] < scores["pretrained"] - 0.01
    pixels = np.asarray(Image.open(panel))
    width = 2 * MARGIN + 2 * 512 + GAP
    assert said == f"{panel}: 1 samples, {width}x{pixels.shape[0]} pixels\n"  # and no other score than recorded
    below = MARGIN + ABOVE + 2 * 384 + GAP + 27 + 22  # truth and uncompressed are above
    pretrained, after = (pixels[below:, MARGIN + n * (512 + GAP) :][:384, :512] for n in (0, 1))
    assert 1 < np.abs(pretrained.astype(int) - source(ids(retrained)[0]).repeat(2, 0).repeat(2, 1)).mean() < 30
    assert np.array_equal(pretrained, after)  # the same picture, decoded
    there = "--training clean: the database has no such experiment at these levels. Trainings it has: jpeg@50"
    assert there in run(capsys, *common, "--training", "clean", status=2)
    weights = Path(path).read_bytes()
    Path(path).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert "was recorded when it was made" in run(capsys, *common, "--training", "50", status=2)
    Path(path).unlink()
    assert "are not here any more" in run(capsys, *common, "--training", "50", status=2)
