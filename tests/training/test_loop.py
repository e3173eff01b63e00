"""Training: the order, the recipe, falling losses, and the same weights after being killed."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors import safe_open

from harness.cli.progress.trainings import TrainingLines
from harness.cli.train import train as train_command
from harness.errors import RegistryError, TrainingError, UsageError
from harness.training.coded import codec_coding
from harness.training.examples import Examples, Order, Slot
from harness.training.frame_coding import FrameCoding
from harness.training.job import place_of
from harness.training.loop import Runtime, train
from harness.training.recipe import Recipe
from harness.training.state import Place
from harness.weights import from_file, load_state, read_classes
from harness_codecs.av_family import Av1
from kit.small_training import RECIPE, CutError, Knife, Log, Player, Slope, job


def same(one: Path, other: Path) -> bool:
    first, second = load_state(one), load_state(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_losses_fall_and_the_curve_is_written(tmp_path: Path) -> None:
    log = Log()
    recipe = replace(RECIPE, iterations=200, export="fp16")
    result = train(job(recipe=recipe), Place(tmp_path), Runtime(workers=0), log)
    assert log.begun == [0]
    assert log.losses[-1][1]["one squares"] < log.losses[0][1]["one squares"] / 3
    with result.curve.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows if row["part"] == "two"] == [str(n) for n in range(10, 201, 10)]
    state = load_state(result.weights)
    assert all(tensor.dtype == torch.float16 for tensor in state.values())
    assert read_classes(result.weights) == ("dark", "bright")
    assert len(result.sha256) == 64


def test_done_is_done(tmp_path: Path) -> None:
    first = train(job(), Place(tmp_path), Runtime(workers=0), Log())
    log = Log()
    again = train(job(), Place(tmp_path), Runtime(workers=0), log)
    assert again.iterations == 0
    assert again.sha256 == first.sha256
    assert log.begun == []


def test_goes_on_with_the_same_result(tmp_path: Path) -> None:
    whole = train(job(), Place(tmp_path / "whole"), Runtime(workers=0), Log())
    with pytest.raises(CutError):
        train(job(), Place(tmp_path / "cut"), Runtime(workers=0), Knife())
    log = Log()
    cut = train(job(), Place(tmp_path / "cut"), Runtime(workers=0), log)
    assert log.begun == [10]
    assert cut.sha256 == whole.sha256
    assert cut.curve.read_text() == whole.curve.read_text()


def test_workers_do_not_change_the_result(tmp_path: Path) -> None:
    alone = train(job(), Place(tmp_path / "alone"), Runtime(workers=0), Log())
    helped = train(job(), Place(tmp_path / "helped"), Runtime(workers=2), Log())
    assert alone.sha256 == helped.sha256


def test_seed_and_recipe_change_the_result(tmp_path: Path) -> None:
    jobs = [job(), job(seed=1), job(recipe=replace(RECIPE, lr=0.04)), job(recipe=replace(RECIPE, parts={"two": 0.01}))]
    assert len({one.key() for one in jobs}) == 4
    found = [train(one, Place(tmp_path / str(n)), Runtime(workers=0), Log()).sha256 for n, one in enumerate(jobs)]
    assert len(set(found)) == 4


def test_one_part_leaves_the_other_alone(tmp_path: Path) -> None:
    both = train(job(), Place(tmp_path / "both"), Runtime(workers=0), Log())
    one = train(job(parts=("one",)), Place(tmp_path / "one"), Runtime(workers=0), Log())
    torch.manual_seed(0)
    fresh = Player().build(("dark", "bright")).state_dict()
    trained = load_state(one.weights)
    assert all(torch.allclose(trained[name], fresh[name]) for name in fresh if name.startswith("two."))
    assert not same(both.weights, one.weights)


def test_starts_from_weights(tmp_path: Path) -> None:
    first = train(job(), Place(tmp_path / "first"), Runtime(workers=0), Log())
    recipe = replace(RECIPE, iterations=1, lr=0.0)
    onward = job(recipe=recipe, initial=from_file("player", str(first.weights)))
    assert onward.key() != job(recipe=recipe).key()
    second = train(onward, Place(tmp_path / "second"), Runtime(workers=0), Log())
    assert same(first.weights, second.weights)


def test_frames_go_through_what_is_asked_for(tmp_path: Path) -> None:
    def black(frames: Any, fps: float | None, rng: np.random.Generator) -> Any:
        return np.zeros_like(frames)

    compressed = job(through=FrameCoding("black", black))
    assert len({one.key() for one in (job(), compressed, job(through=FrameCoding("dark", black)))}) == 3
    level, _ = Examples(compressed.dataset, compressed.model, 0, compressed.through)[Slot(0, 0, 9)].content
    assert float(level.max()) < 0.1
    with pytest.raises(ValueError, match="needs a key"):
        FrameCoding("", black)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_cache_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "0")
    codec = Av1(preset=12)
    assert codec.costly
    compressed = job(through=codec_coding(codec, [50.0], {"name": "av1"}), recipe=replace(RECIPE, iterations=3))
    log = Log()
    train(compressed, Place(tmp_path / "training"), Runtime(workers=workers), log)
    told = [text for text in log.warnings if "unreadable.csv" not in text]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path / 'cache' / 'encoded'} has reached 0 GB: nothing more is kept there.")


def test_what_decides_the_weights_is_in_the_key() -> None:
    class Redecoded(Slope):
        def decoders(self) -> Mapping[str, str]:
            return {"pillow": "another"}

    dataset = Redecoded("brightness", "train")
    dataset.open()
    assert job(dataset=dataset).key() != job().key()
    libraries = job().facts()["libraries"]
    assert set(libraries) == {"codec-harness", "torch", "lightning", "numpy"}
    assert libraries["lightning"] == version("lightning-fabric")  # the name of 0.1.0, so that its trainings are found

    class Vague(Player):
        def fingerprint(self) -> Mapping[str, Any]:
            return {"library": object()}

    with pytest.raises(TypeError, match="not JSON serializable"):
        job(model=Vague()).key()


def test_every_sample_is_seen_equally_often() -> None:
    slots = [slot for batch in Order(10, 4, seed=3, begin=0, end=5) for slot in batch]
    assert sorted(slot.sample for slot in slots) == sorted([*range(10), *range(10)])
    later = [slot for batch in Order(10, 4, seed=3, begin=2, end=5) for slot in batch]
    assert later == slots[8:]


def test_a_corrupt_sample_is_replaced_by_the_next() -> None:
    one = job()
    example = Examples(one.dataset, one.model, 0)[Slot(0, 0, 3)]
    assert example.content[1].tolist() == pytest.approx([0.4])
    assert example.unreadable == (3,)


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_could_not_be_read_are_counted(tmp_path: Path, workers: int) -> None:
    """Of 10 samples one; 30 iterations of 4 go 12 times through them. Being cut off changes no count."""
    with pytest.raises(CutError):
        train(job(), Place(tmp_path), Runtime(workers=workers), Knife())
    log = Log()
    result = train(job(), Place(tmp_path), Runtime(workers=workers), log)
    assert result.unreadable == 1
    assert (tmp_path / "unreadable.csv").read_text().split() == ["index,sample,times", "3,3,12"]
    with safe_open(result.weights, "pt") as file:
        facts = file.metadata()
    assert (facts["unreadable_samples"], facts["replaced_examples"]) == ("1", "12")
    assert log.warnings == []  # the first call said so
    assert train(job(), Place(tmp_path), Runtime(workers=0), Log()).unreadable == 1
    fresh = Log()
    train(job(), Place(tmp_path / "fresh"), Runtime(workers=workers), fresh)
    (text,) = fresh.warnings
    assert "1 of 10 samples of dataset slope could not be read" in text


def test_a_folder_is_one_trainings_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = f"from pathlib import Path; from harness.training.state import Place; p = Place(Path({str(tmp_path)!r}))"
    code = f"{held}\nwith p.held(): print('held', flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(TrainingError, match=f"process {other.pid} on .* is at this training .* Wait"):
        train(job(), Place(tmp_path), Runtime(workers=0), Log())
    assert not (tmp_path / "curve.csv").exists()
    other.kill()
    other.communicate()
    assert train(job(), Place(tmp_path), Runtime(workers=0), Log()).iterations == 30


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    train(job(), Place(tmp_path), Runtime(workers=0), Log())
    with pytest.raises(TrainingError, match="another training"):
        train(job(seed=1), Place(tmp_path), Runtime(workers=0), Log())


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read"):
        train(job(), Place(tmp_path), Runtime(workers=0), Log())


def test_an_infinite_loss_ends_training(tmp_path: Path) -> None:
    recipe = replace(RECIPE, lr=1e30, clip=0.0, optimizer="sgd")
    with pytest.raises(TrainingError, match="lower learning rate"):
        train(job(recipe=recipe), Place(tmp_path), Runtime(workers=0), Log())


def test_jobs_find_their_place_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert place_of(job()).folder == place_of(job()).folder
    assert place_of(job()).folder != place_of(job(seed=2)).folder


def test_rates_follow_the_schedule() -> None:
    cosine = Recipe(iterations=100, batch=1, lr=1.0, warmup=10)
    assert cosine.factor(0) == pytest.approx(0.1, rel=0.01)
    assert cosine.factor(10) > cosine.factor(50) > cosine.factor(99)
    step = Recipe(iterations=100, batch=1, lr=1.0, schedule="step", milestones=(0.5, 0.75))
    assert [step.factor(n) for n in (0, 50, 80)] == pytest.approx([1.0, 0.1, 0.01])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iterations": 1, "batch": 1}, "lacks lr"),
        ({"iterations": 1, "batch": 1, "lr": 0.1, "optimiser": "sgd"}, "Did you mean 'optimizer'"),
        ({"iterations": 0, "batch": 1, "lr": 0.1}, "iterations is 0"),
        ({"iterations": 1, "batch": 1, "lr": "fast"}, "lr is 'fast'"),
        ({"iterations": 1, "batch": 1, "lr": 0.1, "schedule": "sine"}, "cosine, constant, step"),
        ({"iterations": 1, "batch": 1, "lr": 0.1, "average": 1.0}, "below 1"),
    ],
)
def test_recipes_that_do_not_fit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        Recipe.of(values, "recipe x")


@pytest.mark.parametrize("setting", ["lr", "speed=1", "iterations=many", "batch=0", "channels_last=perhaps"])
def test_settings_that_do_not_fit(setting: str) -> None:
    with pytest.raises(UsageError):
        RECIPE.changed([setting])


def test_settings() -> None:
    changed = RECIPE.changed(["lr=1e-4", "milestones=0.5+0.8", "parts=one:0.1", "channels_last=true", "schedule=step"])
    assert (changed.lr, changed.milestones, changed.parts) == (1e-4, (0.5, 0.8), {"one": 0.1})
    assert changed.channels_last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "detecton"], "Did you mean 'detection'"),
        (["--task", "detection", "--recipe", "none-such"], "no recipe 'none-such'"),
        (["--task", "detection", "--set", "lr=0.1x"], "does not fit"),
        (["--task", "detection", "--model", "none-such"], "none-such"),
    ],
)
def test_bad_command_lines(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(train_command, arguments)
    assert result.exception is not None
    assert message in str(result.exception)


def test_the_split_is_named_where_the_recipes_is_not_there(data_root: Path) -> None:
    common = ["--task", "detection", "--dataset", "coco", "--data-root", str(data_root / "coco_mini")]
    said = str(CliRunner().invoke(train_command, common).exception)
    assert "Splits with annotations there: train2017." in said
    assert "(recipe detection.demo trains on split train; --split names another.)" in said
    # With the split, what is wrong is the next thing: these weights.
    further = CliRunner().invoke(train_command, [*common, "--split", "train2017", "--weights", "none.pth"])
    assert "none.pth" in str(further.exception)


def test_a_slow_training_is_heard_of() -> None:
    text = io.StringIO()
    with TrainingLines(Console(file=text, width=200), patience=0.05) as lines:
        lines.started(0, 40)
        time.sleep(0.2)
        for iteration in (1, 2):
            lines.stepped(iteration)
        time.sleep(0.2)
        lines.advanced(2, {"loss_box": 0.5})
    assert text.getvalue().splitlines()[0] == "iteration 0 of 40"
    assert re.fullmatch(r"iteration 2 of 40, \d+\.\d\d/s, \d+ s left", text.getvalue().splitlines()[-1])


def test_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9, and the same command again: the same weights as without, bit for bit."""
    command = [
        *(sys.executable, "-m", "harness", "train", "--task", "detection", "--dataset", "demo", "--threads", "1"),
        *("--workers", "0", "--set", "iterations=6", "--set", "batch=1", "--set", "checkpoint=2", "-o"),
    ]
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cut")}
    process = subprocess.Popen([*command, str(tmp_path / "never")], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("cut/training/*/checkpoint.pt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "never").exists()
    told = subprocess.run(
        [*command, str(tmp_path / "cut.safetensors")], env=environment, check=True, capture_output=True, text=True
    )
    assert "continued after iteration" in told.stderr
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "whole"))
    threads = torch.get_num_threads()
    whole = CliRunner().invoke(train_command, [*command[4:], str(tmp_path / "whole.safetensors")])
    torch.set_num_threads(threads)
    assert whole.exit_code == 0
    assert (tmp_path / "cut.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
