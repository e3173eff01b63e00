"""How much is found, how surely and how rightly, counted anew by plain loops over boxes and persons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from detection_kit import detections, evaluate, random_frames, task_of
from harness_tasks.detection.types import Boxes
from harness_tasks.pose.oks import similarities
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Persons, Poses


def test_detections_their_confidence_and_their_classes_equal_a_count_with_torchvision() -> None:
    frames = random_frames(3, 60, ties=False)
    counted, near, right, sure_and_true = 0, 0, 0, []
    for found, objects in frames:
        shares = box_iou(torch.from_numpy(found.boxes).double(), torch.from_numpy(objects.boxes).double()).numpy()
        shares[:, objects.crowd] = 0
        for row, (score, label) in enumerate(zip(found.scores, found.labels, strict=True)):
            counted += score >= 0.5
            if score >= 0.5 and len(objects.labels) and shares[row].max() >= 0.5:
                near += 1
                right += objects.labels[shares[row].argmax()] == label
        taken = np.zeros(len(objects.labels), bool)
        for row in np.argsort(-found.scores):
            fits = (objects.labels == found.labels[row]) & ~objects.crowd & ~taken & (shares[row] >= 0.5)
            if fits.any():
                taken[np.where(fits, shares[row], -1).argmax()] = True
                sure_and_true.append(found.scores[row])
    values = evaluate(task_of(4), frames)
    assert values["detections"] == pytest.approx(counted / 60)
    assert values["label_accuracy"] == pytest.approx(right / near)
    assert values["confidence"] == pytest.approx(np.mean(sure_and_true, dtype=np.float64))


def test_where_nothing_is_found_confidence_and_classes_are_undefined() -> None:
    values = evaluate(task_of(1), [(detections(), Boxes.of([[0, 0, 9, 9]], [0]))])
    assert values["detections"] == 0
    assert np.isnan([values["confidence"], values["label_accuracy"]]).all()


def test_persons_who_are_nobody_are_false_but_not_where_a_crowd_is() -> None:
    rng = np.random.default_rng(0)
    points = np.full((3, 17, 3), 2.0)
    points[:, :, :2] = rng.uniform(0, 80, (3, 17, 2)) + np.array([[[0, 0]], [[300, 0]], [[0, 300]]])
    boxes = np.array([[0, 0, 80, 80], [300, 0, 380, 80], [0, 300, 80, 380]], np.float64)
    truth = Persons(points, boxes, np.full(3, 6400.0), np.array([False, False, True]))
    far = points[:1] + np.array([500, 500, 0])
    found = np.concatenate([points, far, far + np.array([1, 0, 0])]).astype(np.float32)
    poses = Poses(found, np.array([0.9, 0.1, 0.8, 0.7, 0.2], np.float32))
    assert similarities(far, truth).max() < 0.5
    task = Pose()
    statistics = [task.score(poses, truth), task.score(Poses(found[:0], poses.scores[:0]), truth)]
    values = task.reduce(statistics, np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert values["persons"].tolist() == [1.5, 3.0]
    assert values["false_persons"].tolist() == [0.5, 1.0]
