"""What the statistics of a frame tell, and the detection task beside its metrics."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import SampleError
from harness_tasks.detection.matching import STEPS, frame_statistics, unpack
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes
from kit.detection import NOTHING, detections, evaluate, task_of


def test_statistics_tell_missed_false_mislocated_and_misclassified() -> None:
    truth = Boxes.of(
        [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], [0, 0, 1, 0], difficult=[0, 0, 0, 1]
    )
    found = detections(
        [[0, 0, 10, 10], [20, 0, 30, 5.25], [20, 0, 30, 3], [40, 0, 50, 9], [200, 0, 210, 10]],
        [0.9, 0.8, 0.7, 0.6, 0.5],
        [0, 0, 0, 0, 1],
    )
    frame = frame_statistics(found, truth)
    assert frame["score"].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    assert frame["own"].tolist() == [STEPS, 105, 60, 0, 0]  # of 1/200: 1, 0.525, 0.3, misclassified, false
    assert frame["any"].tolist() == [STEPS, 105, 60, 180, 0]
    assert frame["object"].tolist()[:4] == [0, 1, 1, 2]
    assert frame["object_label"].tolist() == [0, 0, 1, 0]
    assert frame["object_found"].tolist() == [0b1111111111, 0b1, 0, 0]
    assert frame["object_own"].tolist() == [STEPS, 105, 0, 0]
    assert frame["object_any"].tolist() == [STEPS, 105, 180, 0]
    assert frame["object_flags"].tolist() == [4, 4, 4, 6]
    assert unpack(frame["hit"])[:, 0].sum(axis=1).tolist() == [10, 1, 0, 0, 0]


def test_statistics_take_less_than_20_bytes_a_detection() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 500, (100, 2))
    found = detections(np.concatenate([corner, corner + 20], axis=1), rng.uniform(size=100), rng.integers(0, 80, 100))
    frame = frame_statistics(found, NOTHING)
    assert sum(array.nbytes for array in frame.values()) < 20 * 100


def test_more_than_255_classes() -> None:
    truth = Boxes.of([[0, 0, 10, 10], [30, 0, 40, 10]], [300, 1])
    found = detections([[0, 0, 10, 10], [30, 0, 40, 10]], [0.9, 0.8], [300, 44])
    values = evaluate(task_of(1203), [(found, truth), (detections(), NOTHING)])
    assert values["AP[class300]"] == 1
    assert values["AP"] == 0.5


def test_detections_that_are_not_finite_fail_the_sample() -> None:
    with pytest.raises(SampleError, match="not finite"):
        frame_statistics(detections([[0, 0, np.nan, 3]], [0.5], [0]), NOTHING)
    with pytest.raises(SampleError, match="not finite"):
        frame_statistics(detections([[0, 0, 1, 3]], [np.nan], [0]), NOTHING)


def test_sample_score_ranks_samples() -> None:
    task = task_of(1)
    truth = Boxes.of([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])
    both = detections([[0, 0, 10, 10], [20, 0, 30, 10]], [0.9, 0.8], [0, 0])
    late = detections([[50, 0, 60, 10], [0, 0, 10, 10]], [0.9, 0.8], [0, 0])
    assert task.sample_score([task.score(both, truth)]) == 1
    assert task.sample_score([task.score(late, truth)]) == pytest.approx(0.25)
    assert task.sample_score([task.score(detections(), truth)]) == 0
    assert task.sample_score([task.score(both, NOTHING)]) is None


def test_predictions_as_reference_and_drawn() -> None:
    task = Detection(("cat", "dog"), confidence=0.6)
    found = detections([[10, 20, 60, 90], [0, 0, 30, 30]], [0.7, 0.5], [1, 0])
    reference = task.as_target(found)
    assert reference.labels.tolist() == [1]
    assert evaluate(task, [(found, reference)])["AP"] == pytest.approx(1)
    image = np.zeros((120, 160, 3), np.uint8)
    drawn = task.draw(image, found)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not image.any()
    assert drawn[20:90, 10].any(axis=1).all()
    assert drawn[20:90, 59].any(axis=1).all()
    assert not drawn[:8, :8].any()
