"""Matching the classes of detectors and datasets by name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from harness.errors import WeightsError
from harness_tasks.detection.classes import SYNONYMS, Translation, canonical, translation
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections

VOC = ("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog")
VOC += ("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor")
COCO_OF_VOC = ("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table")
COCO_OF_VOC += ("dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch", "train", "tv")


def of_labels(labels: list[int]) -> Detections:
    count = len(labels)
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    return Detections(boxes, np.linspace(1, 0, count, dtype=np.float32), np.array(labels, np.int64))


def test_every_class_of_voc_has_its_place_in_coco() -> None:
    model = ("__background__", *reversed(COCO_OF_VOC), "zebra", "N/A")
    found = translation(model, VOC, "voc")
    assert found.missing == ()
    dropped = [name for name, label in zip(model, found.table, strict=True) if label < 0]
    assert dropped == ["__background__", "zebra", "N/A"]
    names = [(name, VOC[label]) for name, label in zip(model, found.table, strict=True) if label >= 0]
    assert sorted(names) == sorted(zip(COCO_OF_VOC, VOC, strict=True))


def test_it_works_the_other_way_round() -> None:
    found = translation(VOC, (*COCO_OF_VOC, "zebra"), "coco")
    assert found.missing == ("zebra",)
    assert found.table.tolist() == list(range(20))


def test_detections_of_classes_that_the_dataset_lacks_are_dropped() -> None:
    turn = translation(("zebra", "airplane", "tv"), ("tvmonitor", "aeroplane"), "voc")
    turned = turn(of_labels([0, 1, 2, 0, 1]))
    assert turned.labels.tolist() == [1, 0, 1]
    assert turned.boxes[:, 0].tolist() == [4, 8, 16]
    assert turned.scores.tolist() == pytest.approx([0.75, 0.5, 0])
    empty = turn(of_labels([]))
    assert empty.boxes.shape == (0, 4)


def test_a_class_that_the_model_lacks_is_known_and_counts_as_zero() -> None:
    task = Detection(("cat", "unicorn"))
    turn = task.translator(("dog", "cat"), "fables")
    assert turn.missing == ("unicorn",)
    boxes = [[0, 0, 10, 10], [20, 20, 40, 40]]
    found = turn(Detections(np.array(boxes, np.float32), np.array([0.9, 0.8], np.float32), np.array([1, 0])))
    values = task.reduce([task.score(found, Boxes.of(boxes, [0, 1]))])
    assert values["AP[cat]"][0] == pytest.approx(1)
    assert values["AP[unicorn]"][0] == 0
    assert values["AP"][0] == pytest.approx(0.5)


def test_nothing_in_common_is_an_error_that_names_both() -> None:
    with pytest.raises(
        WeightsError, match=r"know the classes zebra, N/A; dataset streets has car, tram: none in common"
    ):
        Detection(("car", "tram")).translator(("zebra", "N/A"), "streets")
    with pytest.raises(WeightsError, match="and 10 more"):
        translation(("zebra",), VOC, "voc")


def test_spelling_does_not_matter() -> None:
    assert canonical("Potted_Plant") == canonical("pottedplant") == canonical(" potted  plant ") == "potted plant"
    assert canonical("stop sign") != canonical("traffic light")
    assert all(canonical(name) == common for name, common in SYNONYMS.items())
    assert all(canonical(common) == common for common in SYNONYMS.values())


def test_a_translation_travels_to_workers() -> None:
    turn = translation(VOC, COCO_OF_VOC, "coco")
    copy = pickle.loads(pickle.dumps(turn))  # noqa: S301
    assert isinstance(copy, Translation)
    assert copy(of_labels([19])).labels.tolist() == [19]
