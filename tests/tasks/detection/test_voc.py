"""VOC metrics against VOC's definition written down anew, and against published values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness_tasks.detection.matching import frame_statistics, overlaps
from harness_tasks.detection.types import Boxes
from harness_tasks.detection.voc import FALSE, TRUE, VOID, voc_outcomes
from kit.detection import detections, evaluate, random_frames, task_of, voc_kit


@pytest.mark.parametrize("seed", range(10))
def test_voc_metrics_equal_the_kits_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for found, truth in random_frames(seed, count=20, classes=3):
        corners = np.round(truth.boxes)
        difficult = rng.uniform(size=len(truth.labels)) < 0.3
        whole = detections(np.round(found.boxes), found.scores, found.labels) if seed % 2 else found
        frames.append((whole, Boxes.of(corners, truth.labels, None, difficult)))
    values = evaluate(task_of(4), frames)
    by_class = np.array([voc_kit(frames, label) for label in range(4)])
    eleven, area = np.nanmean(by_class, axis=0)
    assert values["AP50_voc07"] == pytest.approx(eleven, abs=1e-12)
    assert values["AP50_voc"] == pytest.approx(area, abs=1e-12)


def test_voc_overlap_with_inclusive_pixels_is_plain_overlap_of_exclusive_corners() -> None:
    """1..10 and 6..10 of the kit: 5 of 10 pixels a row, which is exactly the threshold."""
    share, _ = overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 10, 10]]))
    assert share[0, 0] == 0.5
    frames = [(detections([[0, 0, 10, 10]], [0.9], [0]), Boxes.of([[5, 0, 10, 10]], [0]))]
    assert voc_kit(frames, 0) == pytest.approx((1.0, 1.0))
    assert evaluate(task_of(1), frames)["AP50_voc"] == 1.0


def test_crowds_are_neither_hits_nor_false_in_voc_metrics() -> None:
    truth = Boxes.of([[0, 0, 10, 10], [50, 50, 150, 150]], [0, 0], crowd=[False, True])
    found = detections([[60, 60, 70, 70], [0, 0, 10, 10]], [0.9, 0.8], [0, 0])
    assert evaluate(task_of(1), [(found, truth)])["AP50_voc"] == 1.0
    assert frame_statistics(found, truth)["voc"].tolist() == [VOID, TRUE]


def test_a_difficult_object_voids_every_detection_of_it_in_voc_metrics() -> None:
    own = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.6], [0.3, 0.2]])
    outcomes = voc_outcomes(own, np.zeros((5, 2)), np.array([True, False]))
    assert outcomes.tolist() == [VOID, VOID, TRUE, FALSE, FALSE]


def test_published_voc_numbers(data_root: Path) -> None:
    """Their files give left, top, width, height, and their overlap takes left + width as the last pixel."""

    def boxes(path: Path, columns: slice) -> np.ndarray:
        rows = [[float(value) for value in line.split()[1:]] for line in path.read_text().splitlines() if line.strip()]
        table = np.array(rows).reshape(len(rows), -1)
        corners = table[:, columns].copy()
        corners[:, 2:] += corners[:, :2] + 1
        return np.concatenate([table[:, :1], corners], axis=1)

    frames = []
    for path in sorted((data_root / "metric_oracles" / "voc_ap_7images" / "gts").glob("*.txt")):
        truth = boxes(path, slice(0, 4))[:, 1:]
        found = boxes(path.parent.parent / "dets" / path.name, slice(1, 5))
        frames.append((detections(found[:, 1:], found[:, 0], [0] * len(found)), Boxes.of(truth, [0] * len(truth))))
    assert (sum(len(t.labels) for _, t in frames), sum(len(d.labels) for d, _ in frames)) == (15, 24)
    values = evaluate(task_of(1), frames)
    assert values["AP50_voc07"] == pytest.approx(0.0303030303, abs=1e-9)
    assert values["AP50_voc"] == pytest.approx(0.0222222222, abs=1e-9)
    published = {0.1: (0.3333333333, 0.3371980676), 0.3: (0.2683982683, 0.2456866804), 0.75: (0, 0)}
    for threshold, expected in published.items():  # the reference of these tests, at the other published overlaps
        assert voc_kit(frames, 0, threshold) == pytest.approx(expected, abs=1e-9)
