"""The experiment files of the study's tables: they ask what the study states, and resolve on data of their kind."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.cli import main
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.planning.request import Request
from harness.planning.resolve import Resolver
from harness.training.recipe import Recipe
from harness_plugins.study.published import published_tables

FOLDER = Path(__file__).parents[2] / "docs/studies"
FILES = {path.stem.rpartition("-")[2]: path for path in sorted(FOLDER.glob("table-*.toml"))}

STATED = {
    "segmentation": {"iterations": 33000, "batch": 12, "lr": 0.1, "momentum": 0.9, "schedule": "constant"},
    "depth": {"iterations": 10 * 9400 // 10, "batch": 10, "lr": 0.0001},
    "detection": {"iterations": 60000, "lr": 0.001, "weight_decay": 0.0005},
    "pose": {"iterations": 40 * 118287 // 8, "batch": 8, "lr": 0.001},
    "action": {"iterations": 500 * 9537 // 12, "batch": 12, "lr": 0.001, "momentum": 0.9},
}
"""What section III of the study says of each training; epochs of the data set's training images as iterations."""


def asked(task: str) -> dict[str, str]:
    found: dict[str, str] = tomllib.loads(FILES[task].read_text(encoding="utf-8"))
    return found


def test_there_is_a_file_for_each_of_the_tables() -> None:
    assert {task: path.stem.split("-")[1] for task, path in FILES.items()} == {
        "segmentation": "1",
        "depth": "2",
        "detection": "3",
        "pose": "4",
        "action": "5",
    }
    assert set(FILES) == set(published_tables())


@pytest.mark.parametrize("task", FILES)
def test_a_file_names_the_levels_and_the_recipe_of_its_table(task: str) -> None:
    given, table = asked(task), published_tables()[task]
    request = Request(codecs=(given["codec"],), tasks=(given["task"],))
    resolver = Resolver(request, installed(), load_registry(()))
    choice = resolver.codec(given["codec"])
    assert (choice.codec.name, choice.levels) == (table.codec, table.levels)
    model, _ = resolver.model(given["model"])
    assert model.task == task
    assert model.trainable
    assert model.available() is None
    dataset, options = resolver.kind_of("dataset", given["dataset"])
    dataset.resolve(options.options)  # type: ignore[attr-defined]
    made = installed().get("task", task)(**resolver._task_options()[task])
    names = {metric.name for metric in made.all_metrics()}
    assert set(table.pretrained) <= names
    assert given["retrain"] == ["matched", "clean"]
    recipe = Recipe.of(load_registry(()).recipe(task, given["recipe"]), task)
    assert {name: getattr(recipe, name) for name in STATED[task]} == STATED[task]


def link(root: Path, **folders: Path) -> Path:
    """A folder with links to others under names of its own; `__` stands for a slash."""
    for name, target in folders.items():
        place = root / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
    return root


def cityscapes(data: Path, root: Path) -> Path:
    """Its one small frame as both splits."""
    small = data / "cityscapes_mini"
    images, labels = small / "leftImg8bit/val", small / "gtFine/val"
    return link(root, leftImg8bit__val=images, leftImg8bit__train=images, gtFine__val=labels, gtFine__train=labels)


def voc(data: Path, _: Path) -> Path:
    return data / "voc2007_mini/VOCdevkit"


def coco(data: Path, root: Path) -> Path:
    train, val = data / "coco_mini", data / "coco_mmpose4"
    names = {split: f"annotations/person_keypoints_{split}.json" for split in ("train2017", "val2017")}
    link(root, train2017=train / "train2017", val2017=val / "val2017")
    (root / "annotations").mkdir()
    for source, split in ((train, "train2017"), (val, "val2017")):
        (root / names[split]).symlink_to(source / names[split])
    return root


def ucf101(data: Path, root: Path) -> Path:
    """The first list tests all clips that there are; the fifth of each class is moved to its training list."""
    small, lists = data / "ucf101_mini", root / "ucfTrainTestlist"
    link(root, **{"UCF-101": small / "UCF-101"})
    lists.mkdir()
    (lists / "classInd.txt").write_bytes((small / "ucfTrainTestlist/classInd.txt").read_bytes())
    numbers = dict(reversed(line.split()) for line in (lists / "classInd.txt").read_text().splitlines())
    clips = (small / "ucfTrainTestlist/testlist01.txt").read_text().split()
    train = [clip for clip in clips if clip.endswith("c05.avi")]
    (lists / "trainlist01.txt").write_text("".join(f"{clip} {numbers[clip.split('/')[0]]}\n" for clip in train))
    (lists / "testlist01.txt").write_text("".join(f"{clip}\n" for clip in clips if clip not in train))
    return root


def synthia(_: Path, root: Path) -> Path:
    """The layout of the packages with two made-up frames in each: there is no sample of SYNTHIA."""
    import cv2

    held = asked("depth")["dataset"].partition("test=")[2].split("|")
    for package in ("RAND_CITYSCAPES", *held):
        camera = "" if package == "RAND_CITYSCAPES" else "Stereo_Left/Omni_F"
        for kind, pixels in (("RGB", np.full((6, 8, 3), 90, np.uint8)), ("Depth", np.full((6, 8, 3), 1200, np.uint16))):
            folder = root / package / kind / camera
            folder.mkdir(parents=True)
            assert all(cv2.imwrite(str(folder / f"{number:06d}.png"), pixels) for number in range(2))
    return root


@pytest.mark.parametrize(
    ("task", "make", "tested"),
    [
        ("segmentation", cityscapes, 1),
        ("depth", synthia, 10),
        ("detection", voc, 66),
        ("pose", coco, 4),
        ("action", ucf101, 12),
    ],
)
def test_a_file_is_planned_on_data_of_its_kind(
    task: str,
    make: Callable[[Path, Path], Path],
    tested: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = Path() if make is synthia else request.getfixturevalue("data_root")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    # A plan looks at the weights' digest, not into them.
    given, table = asked(task), published_tables()[task]
    save_file({"weight": np.zeros(1, np.float32)}, given["weights"])
    root = make(data, tmp_path / "data") if make is voc else make(data, link(tmp_path / "data"))
    with pytest.raises(SystemExit) as stop:
        main(["plan", str(FILES[task]), "--data-root", str(root), "--json"])
    found = capsys.readouterr()
    assert stop.value.code == 0, found.err
    experiments = json.loads(found.out)["experiments"]
    levels = len(table.levels)
    # Pretrained and clean on `none` and at every level; each training below the top at its own and on `none`.
    assert len(experiments) == 2 * (1 + levels) + 2 * (levels - 1)
    assert {e["samples"] for e in experiments} == {tested}
    assert {e["status"] for e in experiments} == {"to do"}


@pytest.mark.parametrize("task", FILES)
def test_without_its_weights_or_its_data_a_file_says_what_is_missing(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    given = asked(task)
    for lacking in (f"weights {given['weights']}", f"dataset {given['dataset'].partition(':')[0]}"):
        with pytest.raises(SystemExit) as stop:
            main(["plan", str(FILES[task])])
        assert stop.value.code
        assert lacking in capsys.readouterr().err
        save_file({"weight": np.zeros(1, np.float32)}, given["weights"])
