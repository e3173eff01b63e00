"""A model that scores at chance on uncompressed frames is told so, and what chance is, task by task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from harness.cli import main
from harness.discovery.plugins import installed
from harness.statistics.agreement import Agreement
from harness.task import Task
from harness.weights import load_state, read_classes, save_state
from harness_tasks.action.task import Action
from harness_tasks.action.types import ClipScores
from harness_tasks.depth.task import Depth
from harness_tasks.detection.models import demo as demo_detector
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Poses
from harness_tasks.segmentation.models import demo as demo_segnet
from harness_tasks.segmentation.task import Segmentation

RNG = np.random.default_rng(0)


def samples(kind: str, task: str, split: str, root: Path | None = None, **options: object) -> tuple[Any, list[Any]]:
    """An opened dataset, and up to eighty of its samples."""
    dataset = installed().get("dataset", kind)(task, split, root, **options)
    dataset.open()
    return dataset, [dataset[index] for index in range(min(80, len(dataset)))]


def primary(task: Task, statistics: Sequence[Any]) -> float:
    name = next(metric.name for metric in task.all_metrics() if metric.primary)
    return float(task.reduce(statistics)[name][0])


@pytest.mark.parametrize("kind", ["coco", "voc", "demo-world"])
@pytest.mark.parametrize("blind", ["another image's objects", "whole images"])
def test_detections_that_ignore_the_image(kind: str, blind: str, request: pytest.FixtureRequest) -> None:
    split, place = {"coco": ("train2017", "coco_mini"), "voc": ("val", "voc2007_mini/VOCdevkit")}.get(
        kind, ("test", None)
    )
    root = request.getfixturevalue("data_root") / place if place else None
    dataset, found = samples(kind, "detection", split, root)
    task, statistics, perfect = Detection(classes=dataset.classes), [], []
    for sample, other in zip(found, [*found[1:], found[0]], strict=True):
        height, width = sample.frames.shape[1:3]
        truth: Boxes = sample.targets[0]
        boxes, labels = other.targets[0].boxes, other.targets[0].labels
        if blind == "whole images":
            boxes = np.tile([0.0, 0.0, width, height], (len(dataset.classes), 1))
            labels = np.arange(len(dataset.classes))
        scores = RNG.uniform(size=len(boxes)).astype(np.float32)
        statistics.append(task.score(Detections(boxes.astype(np.float32), scores, labels), truth))
        own = Detections(truth.boxes.astype(np.float32), np.ones(len(truth.boxes), np.float32), truth.labels)
        perfect.append(task.score(own, truth))
    chance = task.chance(statistics, iter(()))
    assert chance is not None
    assert primary(task, statistics) <= chance < 0.1 < primary(task, perfect)


def test_poses_that_ignore_the_image(data_root: Path) -> None:
    _, found = samples("coco", "pose", "train2017", data_root / "coco_mini")
    task, statistics = Pose(), []
    for sample, other in zip(found, [*found[1:], found[0]], strict=True):
        keypoints = other.targets[0].keypoints.astype(np.float32)
        scores = RNG.uniform(size=len(keypoints)).astype(np.float32)
        statistics.append(task.score(Poses(keypoints, scores), sample.targets[0]))
    chance = task.chance(statistics, iter(()))
    assert chance is not None
    assert primary(task, statistics) <= chance < 0.1


def test_one_class_everywhere(data_root: Path) -> None:
    dataset, found = samples("camvid", "segmentation", "val", data_root / "camvid")
    task = Segmentation(classes=dataset.classes)
    targets = [sample.targets[0] for sample in found]
    truth = torch.from_numpy(np.concatenate([target.ravel() for target in targets]).astype(np.int64))
    truth = truth[truth != 255]
    occurring = truth.unique()
    best = max(
        float(multiclass_jaccard_index(torch.full_like(truth, label), truth, 256, average=None)[occurring].mean())
        for label in occurring.tolist()
    )
    chance = task.chance([task.score(target, target) for target in targets], iter(targets))
    assert chance == pytest.approx(best, rel=1e-4), "torchmetrics, in float32"
    each = [primary(task, [task.score(np.full_like(t, c), t) for t in targets]) for c in range(len(dataset.classes))]
    assert chance == pytest.approx(max(each), rel=1e-9)
    assert Segmentation(classes=("a", "b")).chance([{"confusion": np.array([[3, 1, 0], [0, 0, 0]])}], ()) is None


def test_guessed_actions() -> None:
    classes, clips = 10, 60
    task, labels = Action(classes=tuple("abcdefghij")), np.arange(60) % 10
    lucky = 0
    for _ in range(300):
        guesses = RNG.uniform(size=(clips, classes)).astype(np.float32)
        statistics = [task.score(ClipScores(g, g), int(label)) for g, label in zip(guesses, labels, strict=True)]
        chance = task.chance(statistics, iter(()))
        assert chance is not None
        lucky += primary(task, statistics) > chance
    assert chance == pytest.approx(0.1 + 2 * (0.1 * 0.9 / 60) ** 0.5)
    assert lucky / 300 < 0.06, "one guess in forty is luckier than two standard errors"
    assert task.chance(statistics[:1], iter(())) is None, "one clip tells nothing"


def test_one_depth_everywhere(data_root: Path) -> None:
    _, found = samples("rgbd", "depth", "all", data_root / "rgbd_realsense", list="associations.txt")
    targets = [sample.targets[0] for sample in found]
    task = Depth(max_depth=10.0)
    measured = [target[(target > 1e-3) & (target < 10)].astype(np.float64) for target in targets]
    constant = np.concatenate(measured).mean()
    expected = np.mean([np.sqrt(((depths - constant) ** 2).mean()) for depths in measured])
    chance = task.chance([], iter(targets))
    assert chance == pytest.approx(expected, rel=1e-6)

    def rmse(predictions: Sequence[Any]) -> float:
        return primary(task, [task.score(p, t) for p, t in zip(predictions, targets, strict=True)])

    filled = [np.where(np.isnan(target), 1, target).astype(np.float32) for target in targets]
    assert rmse(filled) == 0
    assert rmse([depths * 1.05 for depths in filled]) < chance
    assert rmse([depths * 1000 for depths in filled]) > chance, "millimetres"
    assert rmse([1 / depths for depths in filled]) > chance, "inverse depth"
    assert task.chance([], iter([np.full((4, 4), np.nan, np.float32)])) is None
    assert task.chance([], iter(())) is None


def test_agreement_has_no_chance() -> None:
    assert Agreement(Detection(classes=("a",))).chance([], iter(())) is None


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a run writes to standard error, on one line."""
    few = ("--limit", 12, "--workers", 0, "--threads", 1, "--resamples", 100, "--db", "c.db")
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in ("run", "-c", "jpeg@5", *few, *arguments)])
    found = capsys.readouterr()
    assert stop.value.code == 0, found.err
    return " ".join(found.err.split())


def test_a_detector_that_has_learnt_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model, classes = demo_detector.DemoDetector(), read_classes(demo_detector.WEIGHTS)
    save_state(tmp_path / "new.safetensors", model.build(classes).state_dict(), classes)
    text = said(capsys, "-t", "detection", "--weights", "new.safetensors")
    assert (
        len(re.findall(r"none detection demo-detector \[[0-9a-f]{8}\]: the model scores at chance without", text)) == 1
    ), text
    assert text.count("scores at chance") == 1, "of the baseline, not of the level"
    assert "the order of the colours (RGB or BGR)" in text
    assert "at chance" not in said(capsys, "-t", "detection")
    assert "at chance" not in said(
        capsys, "-t", "detection", "--weights", "new.safetensors", "--reference", "predictions"
    )


def test_classes_in_another_order_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = read_classes(demo_segnet.WEIGHTS)
    save_state(tmp_path / "turned.safetensors", load_state(demo_segnet.WEIGHTS), (*names[1:], names[0]))
    text = said(capsys, "-t", "segmentation", "--weights", "turned.safetensors")
    assert "scores at chance without any compression: mIoU" in text
    assert "the classes (other ones, or in another order)" in text
    assert "at chance" not in said(capsys, "-t", "segmentation")
