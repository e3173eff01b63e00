"""How much is found, how surely and how rightly, counted anew by plain loops over boxes and persons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from harness_tasks.detection.types import Boxes
from harness_tasks.pose.oks import similarities
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Persons, Poses
from kit.detection import detections, evaluate, random_frames, task_of


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


def test_mistakes_equal_a_count_by_plain_loops_in_the_order_of_tide() -> None:
    frames = random_frames(5, 80, ties=False)
    counted = dict.fromkeys(("missed", "mislocated", "misclassified", "duplicated", "background", "confused"), 0)
    for found, objects in frames:
        shares = box_iou(torch.from_numpy(found.boxes).double(), torch.from_numpy(objects.boxes).double()).numpy()
        covers = shares.copy()
        for row, box in enumerate(found.boxes):
            for column in np.flatnonzero(objects.crowd):
                left, top = np.maximum(box[:2], objects.boxes[column, :2])
                right, bottom = np.minimum(box[2:], objects.boxes[column, 2:])
                size = (box[2] - box[0]) * (box[3] - box[1])
                covers[row, column] = max(0, right - left) * max(0, bottom - top) / size
        solid = np.where(objects.crowd, 0, shares)
        usual = ~objects.crowd & ~objects.difficult
        taken = np.zeros(len(objects.labels), bool)
        matched = 0
        for row in np.argsort(-found.scores, kind="stable"):
            same = objects.labels == found.labels[row]
            fits = [np.flatnonzero(same & ~taken & usual & (shares[row] >= 0.5))]
            fits += [np.flatnonzero(same & ~taken & objects.difficult & (shares[row] >= 0.5))]
            fits += [np.flatnonzero(same & objects.crowd & (covers[row] >= 0.5))]
            sure = found.scores[row] >= 0.5
            if len(fits[0]):
                taken[fits[0][shares[row][fits[0]].argmax()]] = True
                matched += sure
            elif len(fits[1]):
                taken[fits[1][shares[row][fits[1]].argmax()]] = True
            elif sure and not len(fits[2]):
                # In steps of 1/200, as overlaps are kept.
                own = round(200 * max(np.where(same, solid[row], 0), default=0))
                nearest = round(200 * max(solid[row], default=0))
                other = len(objects.labels) > 0 and objects.labels[solid[row].argmax()] != found.labels[row]
                if 20 < own < 100:
                    counted["mislocated"] += 1
                elif other and nearest >= 100:
                    counted["misclassified"] += 1
                elif own >= 100:
                    counted["duplicated"] += 1
                else:
                    counted["background" if nearest <= 20 else "confused"] += 1
        counted["missed"] += int(usual.sum()) - matched
    values = evaluate(task_of(4), frames)
    assert min(counted.values()) > 0
    assert {name: float(values[name] * 80) for name in counted} == pytest.approx(counted)


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
    assert values["missed_persons"].tolist() == [1.5, 1.0]  # one of two; both, where nobody is found
    assert values["mislocated_persons"].tolist() == [0.0, 0.0]
    assert values["confidence"].tolist() == pytest.approx([0.5, 0.5])  # of .9 and .1


def test_a_person_whose_key_points_are_shifted_is_mislocated() -> None:
    rng = np.random.default_rng(1)
    points = np.full((1, 17, 3), 2.0)
    points[:, :, :2] = rng.uniform(0, 80, (1, 17, 2))
    truth = Persons(points, np.array([[0, 0, 80, 80.0]]), np.array([6400.0]), np.array([False]))
    shifted = (points + np.array([14, 0, 0])).astype(np.float32)
    assert 0.1 < similarities(shifted.astype(np.float64), truth)[0, 0] < 0.5
    task = Pose()
    values = task.reduce([task.score(Poses(shifted, np.array([0.9], np.float32)), truth)])
    assert [values[name][0] for name in ("mislocated_persons", "missed_persons", "false_persons")] == [1, 1, 1]
    assert np.isnan(values["confidence"]).all()
