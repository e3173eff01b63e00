"""COCO metrics against pycocotools and published values, and what every reduction must hold to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from kit.detection import (
    COCO_METRICS,
    NOTHING,
    coco_frames,
    detections,
    evaluate,
    pycocotools,
    random_frames,
    task_of,
    voc_kit,
)


@pytest.mark.parametrize("seed", range(20))
def test_coco_metrics_equal_pycocotools_on_random_frames(seed: int) -> None:
    frames = random_frames(seed, count=25)
    values = evaluate(task_of(5), frames)
    expected, by_class = pycocotools(frames, 5)
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose([values[f"AP[class{index}]"] for index in range(5)], by_class, rtol=0, atol=1e-9)


def test_more_than_100_detections_of_one_class_and_tied_scores() -> None:
    rng = np.random.default_rng(3)
    frames = []
    for image in range(3):
        corner = rng.uniform(0, 500, (60, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 60, (60, 2))], axis=1)
        found = np.tile(boxes, (3, 1)) + rng.normal(0, 1.5, (180, 4))
        scores = np.round(rng.uniform(size=180), 1)
        labels = (rng.uniform(size=180) < 0.1).astype(np.int64)
        frames.append((detections(found, scores, labels), Boxes.of(boxes, np.arange(60) % 2 * (image == 1))))
    assert max((prediction.labels == 0).sum() for prediction, _ in frames) > 100
    values = evaluate(task_of(2), frames)
    expected, _ = pycocotools(frames, 2)
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], expected, rtol=0, atol=1e-9)
    eleven, area = np.mean([voc_kit(frames, label) for label in range(2)], axis=0)
    assert values["AP50_voc07"] == pytest.approx(eleven, abs=1e-12)
    assert values["AP50_voc"] == pytest.approx(area, abs=1e-12)


def test_a_detection_that_reaches_two_objects_takes_the_later_of_equals() -> None:
    truth = Boxes.of([[0, 0, 10, 10], [0, 0, 10, 10], [2, 0, 12, 10]], [0, 0, 0], area=[100, 2000, 100])
    found = detections([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10]], [0.9, 0.8, 0.8], [0, 0, 0])
    frames = [(found, truth)]
    values = evaluate(task_of(1), frames)
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], pycocotools(frames, 1)[0], rtol=0, atol=1e-9)


def test_difficult_objects_are_ignored_in_coco_metrics() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        frames = [
            (found, Boxes.of(t.boxes, t.labels, t.crowd, rng.uniform(size=len(t.labels)) < 0.4, t.area))
            for found, t in random_frames(seed, count=20)
        ]
        values = evaluate(task_of(4), frames)
        expected, _ = pycocotools(frames, 4, ignore_difficult=True)
        np.testing.assert_allclose([values[name] for name in COCO_METRICS], expected, rtol=0, atol=1e-9)
        assert values["AP"] != pytest.approx(pycocotools(frames, 4)[0][0], abs=1e-9)


def test_undefined_is_nan() -> None:
    false_only = evaluate(task_of(2), [(detections([[0, 0, 10, 10]], [0.9], [0]), NOTHING)])
    assert {name: value for name, value in false_only.items() if not np.isnan(value)} == {
        **{"detections": 1.0, "background": 1.0},
        **dict.fromkeys(("missed", "mislocated", "misclassified", "duplicated", "confused"), 0.0),
    }
    small_only = evaluate(task_of(2), [(detections(), Boxes.of([[0, 0, 10, 10]], [1]))])
    assert (small_only["AP"], small_only["AP_small"], small_only["AR100"], small_only["AP50_voc"]) == (0, 0, 0, 0)
    assert all(np.isnan(small_only[name]) for name in ("AP_medium", "AP_large", "AR_large", "AP[class0]"))
    assert all(np.isnan(value) for value in evaluate(task_of(2), []).values())


def test_metrics_that_are_named_are_the_metrics_that_come() -> None:
    task = task_of(3)
    assert [metric.name for metric in task.all_metrics()] == list(evaluate(task, random_frames(0, 3)))
    assert [metric.name for metric in task.metrics if metric.primary] == ["AP"]


def test_perfect_detections_score_one() -> None:
    frames = [
        (
            detections(truth.boxes, np.linspace(1, 0.5, len(truth.labels)), truth.labels),
            Boxes.of(truth.boxes, truth.labels),
        )
        for _, truth in random_frames(5, 30)
    ]
    values = evaluate(task_of(4), frames)
    others = ("AR1", "AR10", "detections", "confidence")
    mistakes = task_of(4).breakdowns()["mistakes"]
    assert all(values[name] == pytest.approx(1) for name in values if name not in (*others, *mistakes))
    assert {name: values[name] for name in mistakes} == dict.fromkeys(mistakes, 0.0)


def test_weights_equal_repeated_frames() -> None:
    task = task_of(4)
    rng = np.random.default_rng(11)
    statistics = [task.score(*frame) for frame in random_frames(11, 30, ties=False)]
    weights = rng.multinomial(30, [1 / 30] * 30, size=6).astype(np.float64)
    together = task.reduce(statistics, weights)
    for row, counts in enumerate(weights.astype(int)):
        repeated = [frame for frame, count in zip(statistics, counts, strict=True) for _ in range(count)]
        alone = task.reduce(repeated)
        for name, values in together.items():
            np.testing.assert_allclose(values[row], alone[name][0], rtol=0, atol=1e-12, err_msg=name)


def test_shards_join_and_order_does_not_matter_once_sorted() -> None:
    task = task_of(4)
    frames = random_frames(21, 40)
    whole = task.reduce([task.score(*frame) for frame in frames])
    shards = {index: task.score(*frames[index]) for index in np.random.default_rng(0).permutation(40)}
    merged = task.reduce([shards[index] for index in range(40)])
    for name, value in whole.items():
        np.testing.assert_array_equal(value, merged[name], err_msg=name)


def test_detections_in_any_order_give_the_same_metrics() -> None:
    task = task_of(4)
    frames = random_frames(31, 20, ties=False)
    rng = np.random.default_rng(1)
    mixed = []
    for found, truth in frames:
        order = rng.permutation(len(found.scores))
        mixed.append((Detections(found.boxes[order], found.scores[order], found.labels[order]), truth))
    assert evaluate(task, frames) == pytest.approx(evaluate(task, mixed), nan_ok=True, abs=1e-12)


def test_published_coco_numbers(data_root: Path) -> None:
    truth = json.loads((data_root / "metric_oracles" / "coco_bbox" / "instances_val2014_100.json").read_text())
    results = json.loads(
        (data_root / "metric_oracles" / "coco_bbox" / "instances_val2014_fakebbox100_results.json").read_text()
    )
    frames, names = coco_frames(truth, results)
    values = evaluate(Detection(tuple(names)), frames)
    # tests of faster-coco-eval, from pycocotools; AP ... AR_large
    published = [0.5045806987249628, 0.6969727247299577, 0.5729816669904824, 0.5856257209410443, 0.5193996948036719]
    published += [0.5013978986347466, 0.38681277964578054, 0.5936795762842003, 0.595352982877607, 0.6398109626113442]
    published += [0.5664205978994309, 0.5642905982905982]
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], published, rtol=0, atol=1e-9)


def test_real_objects_with_crowds_equal_pycocotools(data_root: Path) -> None:
    path = data_root / "coco_mini" / "annotations" / "instances_train2017.json"
    if not path.is_file():
        pytest.skip("HARNESS_TEST_DATA has no coco_mini")
    frames, names = coco_frames(json.loads(path.read_text()), [])
    rng = np.random.default_rng(0)
    noisy = []
    for _, truth in frames:
        copies = np.repeat(np.arange(len(truth.labels)), 3)
        sides = truth.boxes[copies, 2:] - truth.boxes[copies, :2]
        boxes = truth.boxes[copies] + rng.normal(0, 0.08, (len(copies), 4)) * np.tile(sides, 2)
        noisy.append((detections(boxes, np.round(rng.uniform(size=len(copies)), 2), truth.labels[copies]), truth))
    assert sum(int(truth.crowd.sum()) for _, truth in noisy) > 0
    values = evaluate(Detection(tuple(names)), noisy)
    expected, _ = pycocotools(noisy, len(names))
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], expected, rtol=0, atol=1e-9)
