"""What the tasks' own types refuse, and that nothing real is: published boxes, real data sets, real detectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.discovery.plugins import installed
from harness.errors import ContentError
from harness.statistics.agreement import Agreement
from harness.task import Task
from harness_tasks.action.task import Action
from harness_tasks.action.types import ClipScores
from harness_tasks.depth.task import Depth
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Persons, Poses
from harness_tasks.segmentation.task import Segmentation
from kit.detection import coco_frames, evaluate

NAMES = ("cat", "dog", "cow")
SIZE = (6, 8)
TASKS: dict[str, Task] = {
    "action": Action(NAMES),
    "depth": Depth(),
    "detection": Detection(NAMES),
    "pose": Pose(),
    "segmentation": Segmentation(NAMES),
}


def changed(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


CLIP = ClipScores(np.float32([0.5, 0.25, 0.25]), np.float32([1, 0, 0]))
DEPTH = np.full(SIZE, 3.0, np.float32)
FOUND = Detections(np.float32([[0, 0, 8, 6], [1, 1, 4, 3]]), np.float32([0.5, 0.25]), np.array([2, 0]))
LABELS = np.zeros(SIZE, np.uint8)
POSES = Poses(np.ones((2, 17, 3), np.float32), np.float32([0.5, 1]))
BOXES = Boxes.of([[0, 0, 8, 6], [-3, 1, 4, 1]], [2, 0])
PERSONS = Persons(np.ones((1, 17, 3)), np.array([[0.0, 0, 5, 5]]), np.array([20.0]), np.array([False]))

GOOD: list[tuple[str, Any]] = [
    ("action", CLIP),
    ("action", replace(CLIP, spatial=CLIP.spatial.astype(np.float64))),
    ("depth", DEPTH),
    ("depth", changed(DEPTH, (0, 0), np.nan)),  # perhaps nothing is evaluated there
    ("detection", FOUND),
    ("detection", Detections(FOUND.boxes[:0], FOUND.scores[:0], FOUND.labels[:0])),
    ("detection", replace(FOUND, boxes=FOUND.boxes.astype(np.float64), labels=FOUND.labels.astype(np.int32))),
    ("detection", replace(FOUND, scores=np.float32([0, 1 + 1e-7]))),
    ("detection", replace(FOUND, boxes=np.float32([[-9, -9, 0, 20], [8, 6, 8, 6]]))),
    ("segmentation", LABELS),
    ("segmentation", LABELS.astype(np.int64) + 2),
    ("pose", POSES),
    ("pose", Poses(POSES.keypoints[:0], POSES.scores[:0])),
    ("pose", replace(POSES, keypoints=np.zeros((2, 17, 3)))),
]
PREDICTIONS: list[tuple[str, Any, str]] = [
    ("action", CLIP.spatial, "a ClipScores is expected, found a numpy.ndarray"),
    ("action", replace(CLIP, motion=CLIP.motion[:2]), "motion: [3] is expected, found [2]"),
    ("action", replace(CLIP, motion=CLIP.motion * 3), "motion: 1 of 3 values is outside 0-1: 3"),
    ("action", replace(CLIP, spatial=changed(CLIP.spatial, 1, np.nan)), "spatial: 1 of 3 values is outside 0-1: nan"),
    ("action", replace(CLIP, spatial=np.array([1, 0, 0])), "spatial: float32 or float64 is expected, found int64"),
    ("depth", torch.ones(SIZE), "depth map: a NumPy array is expected, found a torch.Tensor (torch: .cpu().numpy())"),
    ("depth", [[1.0]], "depth map: a NumPy array is expected, found a list"),
    ("depth", DEPTH.astype(np.uint16), "depth map: float32 or float64 is expected, found uint16"),
    ("depth", DEPTH[None], "depth map: [H, W] is expected, found [1, 6, 8]"),
    ("depth", DEPTH.T, "depth map: the size of the source frame is expected, [6, 8], found [8, 6]"),
    ("detection", replace(FOUND, labels=np.array([3, -1])), "labels: 2 of 2 values are outside 0-2: 3"),
    ("detection", replace(FOUND, scores=np.float32([0.5, -0.1])), "scores: 1 of 2 values is outside 0-1: -0.1"),
    ("detection", replace(FOUND, boxes=FOUND.boxes.astype(np.float16)), "boxes: float32 or float64 is expected"),
    ("detection", replace(FOUND, boxes=FOUND.boxes + 9.5), "boxes: 2 of 2 lie wholly outside the image of 8x6 pixels"),
    ("detection", replace(FOUND, boxes=FOUND.boxes * 1e30), "boxes: 6 of 8 numbers are beyond 10^9: 8e+30"),
    ("detection", replace(FOUND, boxes=FOUND.boxes[0]), "boxes: [N, 4] is expected, found [4]"),
    ("pose", FOUND, "a Poses is expected, found a harness_tasks.detection.types.Detections"),
    ("pose", replace(POSES, keypoints=POSES.keypoints[:, :14]), "keypoints: [N, 17, 3] is expected, found [2, 14, 3]"),
    ("pose", replace(POSES, scores=POSES.scores * 20), "scores: 2 of 2 values are outside 0-1: 10"),
    ("pose", replace(POSES, scores=POSES.scores[:1]), "keypoints and scores are of 2 and 1 persons"),
    ("pose", replace(POSES, keypoints=POSES.keypoints * np.inf), "keypoints: 102 of 102 numbers are not finite: inf"),
    ("pose", replace(POSES, keypoints=POSES.keypoints * [50, 1, 1]), "keypoints: 2 of 2 lie wholly outside the image"),
    ("pose", replace(POSES, keypoints=POSES.keypoints * [1, 1, 9]), "confidence of keypoints: 34 of 34 values are"),
    ("segmentation", LABELS.astype(np.int8) - 1, "label map: 48 of 48 values are outside 0-2: -1"),
    ("segmentation", changed(LABELS, (2, 2), 3), "label map: 1 of 48 values is outside 0-2: 3"),
    ("segmentation", np.zeros((3, *SIZE), np.float32), "label map: whole numbers are expected, found float32"),
    ("segmentation", LABELS[:3], "label map: the size of the source frame is expected, [6, 8], found [3, 8]"),
    ("segmentation", torch.zeros(SIZE), "label map: a NumPy array is expected, found a torch.Tensor"),
    ("segmentation", (LABELS, LABELS), "label map: a NumPy array is expected, found a tuple"),
]
TARGETS: list[tuple[str, Any, str]] = [
    ("action", 3, "class: 3 is outside 0-2"),
    ("action", -1, "class: -1 is outside 0-2"),
    ("action", 1.0, "class: a whole number (int) is expected, found 1.0"),
    ("action", True, "class: a whole number (int) is expected, found True"),
    ("action", "cat", "class: a whole number (int) is expected, found 'cat'"),
    ("depth", None, "depth map: a NumPy array is expected, found None"),
    ("depth", DEPTH[:, :4], "depth map: the size of the source frame is expected, [6, 8], found [6, 4]"),
    ("detection", replace(BOXES, boxes=BOXES.boxes[::-1, ::-1].copy()), "boxes: 2 of 2 have x2 < x1 or y2 < y1: 1, 4"),
    ("detection", replace(BOXES, area=-BOXES.area - 1), "area: 2 of 2 values are outside 0-1e+18: -49"),
    ("detection", replace(BOXES, difficult=None), "difficult: a NumPy array is expected, found None"),
    ("detection", FOUND, "a Boxes is expected, found a harness_tasks.detection.types.Detections"),
    ("pose", replace(PERSONS, keypoints=PERSONS.keypoints * np.nan), "keypoints: 51 of 51 numbers are not finite"),
    ("pose", replace(PERSONS, area=PERSONS.area[:0]), "keypoints, boxes, area and crowd are of 1, 1, 0 and 1 persons"),
    ("pose", {"keypoints": 1}, "a Persons is expected, found a dict"),
    ("segmentation", LABELS + 254, "label map: 48 of 48 values are outside 0-2: 254"),
    ("segmentation", LABELS.astype(np.int16) - 7, "label map: 48 of 48 values are outside 0-2: -7"),
    ("segmentation", LABELS / 1.0, "label map: whole numbers are expected, found float64"),
]


@pytest.mark.parametrize(("task", "prediction"), GOOD)
def test_good_predictions_are_accepted(task: str, prediction: Any) -> None:
    TASKS[task].check_prediction(prediction, SIZE, 3)


@pytest.mark.parametrize(("task", "prediction", "message"), PREDICTIONS)
def test_wrong_predictions_are_refused_in_words(task: str, prediction: Any, message: str) -> None:
    for checked in (TASKS[task], Agreement(TASKS[task])):
        with pytest.raises(ContentError) as error:
            checked.check_prediction(prediction, SIZE, 3)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize(("task", "target", "message"), TARGETS)
def test_wrong_targets_are_refused_in_words(task: str, target: Any, message: str) -> None:
    for checked in (TASKS[task], Agreement(TASKS[task])):
        with pytest.raises(ContentError) as error:
            checked.check_target(target, SIZE)
        assert str(error.value).startswith(message)


def test_good_targets_are_accepted() -> None:
    for task, target in (("action", 2), ("action", np.int64(0)), ("detection", BOXES), ("pose", PERSONS)):
        TASKS[task].check_target(target, SIZE)
    TASKS["depth"].check_target(changed(DEPTH, 0, np.nan), SIZE)
    TASKS["segmentation"].check_target(changed(LABELS, 0, 255), SIZE)


def test_depth_is_refused_where_it_is_evaluated() -> None:
    target = changed(DEPTH, (0, slice(None)), np.nan)
    for value in (0, -1, np.nan, np.inf):
        TASKS["depth"].score(changed(DEPTH, 0, value), target)
        with pytest.raises(ContentError, match="depth map: 8 of 40 evaluated pixels are not positive and finite: "):
            TASKS["depth"].score(changed(DEPTH, 1, value), target)


@pytest.mark.parametrize(
    ("task", "name", "folder", "options"),
    [
        ("detection", "coco", "coco_mini", {"split": "train2017"}),
        ("pose", "coco", "coco_mini", {"split": "train2017"}),
        ("detection", "voc", "voc2007_mini", {}),
        ("segmentation", "camvid", "camvid", {}),
    ],
)
def test_no_real_target_is_refused(data_root: Path, task: str, name: str, folder: str, options: dict[str, str]) -> None:
    dataset = installed().get("dataset", name)(task=task, root=data_root / folder, **options)
    dataset.open()
    kind = installed().get("task", task)(classes=dataset.classes)
    for index in range(0, len(dataset), 4):
        sample = dataset[index]
        for target in sample.targets.values():
            kind.check_target(target, sample.frames.shape[1:3])


def test_coco_s_boxes_without_an_area_are_scored_as_pycocotools_does() -> None:
    # Annotation 2206849 of instances_train2017.json: [296.65, 388.33, 1.33, 0.0], area 0.
    target = Boxes.of([[296.65, 388.33, 297.98, 388.33]], [0], area=[0.0])
    task = Detection(NAMES)
    task.check_target(target, (480, 640))
    assert task.score(replace(FOUND, boxes=FOUND.boxes * 20), target)["object_found"].tolist() == [0]


def test_boxes_that_a_real_detector_cuts_at_the_border_are_accepted() -> None:
    from torchvision.ops import clip_boxes_to_image

    rng = torch.Generator().manual_seed(0)
    corners = torch.rand(2000, 2, generator=rng) * 3000 - 1000
    boxes = clip_boxes_to_image(torch.cat([corners, corners + 300 * torch.rand(2000, 2, generator=rng)], 1), (427, 641))
    assert ((boxes[:, 2:] - boxes[:, :2]) == 0).any()  # wholly outside before
    scaled = boxes * torch.tensor([500 / 641, 333 / 427] * 2)  # rounded beyond the border
    found = Detections(scaled.numpy(), np.zeros(2000, np.float32), np.zeros(2000, np.int64))
    Detection(NAMES).check_prediction(found, (333, 500), 3)


def test_corners_in_double_precision_give_the_published_ap(data_root: Path) -> None:
    """Published: https://github.com/MiXaiLL76/faster_coco_eval, tests: 0.5045806987249628."""
    folder = data_root / "metric_oracles" / "coco_bbox"
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    results = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    frames, names = coco_frames(truth, results)
    task = Detection(tuple(names))
    for found, target in frames:
        assert found.boxes.dtype == np.float64
        task.check_prediction(found, (640, 640), len(names))
        task.check_target(target, (640, 640))
    rounded = [(replace(found, boxes=found.boxes.astype(np.float32)), target) for found, target in frames]
    whole = evaluate(task, frames)["AP"]
    assert whole == pytest.approx(0.5045806987249628, abs=1e-9)
    assert abs(evaluate(task, rounded)["AP"] - whole) > 4e-4
