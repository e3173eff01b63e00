"""Intervals where few groups lose anything, or have anything of a class: never of no width, and by their own number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.statistics.agreement import Agreement
from harness.statistics.drops import Drop, paired_interval
from harness.statistics.intervals import interval, replicates
from harness.task import Task
from harness_tasks.action.task import Action
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.segmentation.task import Segmentation

ACTION = Action(("run", "jump"))


def clips(right: np.ndarray, labels: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
    labels = np.zeros(len(right), int) if labels is None else labels
    ranks = [np.array([0, 0, 0 if hit else 1], np.int32) for hit in right]
    return [
        {"label": np.array(c, np.int64), "ranks": rank, "probability": np.array(0.5)}
        for c, rank in zip(labels, ranks, strict=True)
    ]


def alone(count: int) -> list[str]:
    return [str(n) for n in range(count)]


def exact(right: int, count: int) -> tuple[float, float]:
    found = binomtest(right, count).proportion_ci(0.95, method="exact")
    return found.low, found.high


def test_top1_of_all_clips_and_of_each_class_is_counted() -> None:
    labels = np.array([0] * 59 + [1] * 7)
    right = np.arange(66) >= 2
    found = replicates(ACTION, clips(right, labels), alone(66), 200)
    for metric, hit, count in (("fusion_top1", 64, 66), ("fusion_top1[run]", 57, 59), ("fusion_top1[jump]", 7, 7)):
        ends = interval(found, metric)
        assert ends.value == hit / count
        assert (ends.low, ends.high) == pytest.approx(exact(hit, count))
    assert interval(found, "fusion_top5").low == pytest.approx(exact(66, 66)[0])
    assert interval(found, "fusion_top1[jump]").groups == 7


def test_a_drop_of_one_clip_is_no_proof() -> None:
    before = replicates(ACTION, clips(np.ones(66)), alone(66), 200)
    after = replicates(ACTION, clips(np.arange(66) > 0), alone(66), 200)
    ends = paired_interval(after, before, "fusion_top1", higher_is_better=True)
    assert ends.value == pytest.approx(1 / 66)
    assert -0.06 < ends.low < 0 < 0.07 < ends.high < 0.1
    p = Drop.of(after, before, "fusion_top1", True).p_value()
    assert 0.3 < p < 0.6  # McNemar's z is (1 - .125) / 1
    assert Drop.of(before, before, "fusion_top1", True).p_value() == 1


def test_drops_stay_within_what_is_possible() -> None:
    right = np.arange(20) < 18
    before = replicates(ACTION, clips(right), alone(20), 200)
    after = replicates(ACTION, clips(right & (np.arange(20) >= 17)), alone(20), 200)
    ends = paired_interval(after, before, "fusion_top1", higher_is_better=True)
    assert ends.value == pytest.approx(0.85)
    assert ends.value < ends.high <= exact(18, 20)[1]
    mean = paired_interval(after, before, "mean_class_accuracy", higher_is_better=True)
    assert mean.value < mean.high <= 1


def test_a_class_mean_without_a_miss_is_uncertain_too() -> None:
    found = replicates(ACTION, clips(np.ones(40), np.arange(40) % 2), alone(40), 200)
    assert interval(found, "mean_class_accuracy").low == pytest.approx(exact(40, 40)[0])
    ends = paired_interval(found, found, "mean_class_accuracy", higher_is_better=True)
    assert (ends.low, ends.high) == pytest.approx((-exact(0, 40)[1], exact(0, 40)[1]))


def test_the_agreement_of_a_model_with_itself_is_exact() -> None:
    from harness.finish.metrics import Calculator
    from harness.records import SampleStatistics

    task: Task = Agreement(ACTION)
    samples = {n: SampleStatistics(n, str(n), frame) for n, frame in enumerate([[one] for one in clips(np.ones(30))])}
    lost = {n: SampleStatistics(n, str(n), [clips(np.array([n > 0]))[0]]) for n in range(30)}
    calculator = Calculator(200)
    calculator.keep_baseline(task, "none", samples)
    (drop,) = [
        one
        for one in calculator.drops(task, calculator.resample(task, "jpeg", lost))
        if one.metric == "agreement fusion_top1"
    ]
    assert drop.value == pytest.approx(1 / 30)
    assert drop.ci_low == 0  # it cannot agree with itself more than wholly
    (lossless,) = [
        one
        for one in calculator.drops(task, calculator.resample(task, "png", samples), lossless=True)
        if one.metric == "agreement fusion_top1"
    ]
    assert (lossless.value, lossless.ci_low, lossless.ci_high) == (0, 0, 0)


def test_hits_that_are_not_the_metric_are_refused() -> None:
    class Wrong(Action):
        def hits(self, statistics):  # type: ignore[no-untyped-def]
            return [("fusion_top1", np.zeros(len(statistics)))]

    with pytest.raises(ValueError, match="`hits` of fusion_top1"):
        replicates(Wrong(("run",)), clips(np.ones(5)), alone(5), 10)


def test_a_task_with_its_own_reduce_has_its_own_hits() -> None:
    class Own(Action):
        def reduce(self, statistics, weights=None):  # type: ignore[no-untyped-def]
            count = 1 if weights is None else len(weights)
            return {metric.name: np.full(count, 0.25) for metric in self.all_metrics()}

    found = replicates(Own(("run",)), clips(np.ones(5)), alone(5), 10)
    assert found.hits == {}


def test_ap_of_a_class_stands_on_the_images_that_have_it() -> None:
    task = Detection(("cat", "dog"))
    box = np.array([[0, 0, 50, 50]], np.float32)

    def frame(label: int) -> dict[str, np.ndarray]:
        return dict(task.score(Detections(box, np.array([0.9], np.float32), np.array([label])), Boxes.of(box, [label])))

    found = replicates(task, [frame(int(n < 8)) for n in range(66)], alone(66), 200)
    cat, dog = interval(found, "AP[cat]"), interval(found, "AP[dog]")
    assert (cat.value, dog.value) == (pytest.approx(1), pytest.approx(1))
    assert (cat.groups, dog.groups, cat.few, dog.few) == (58, 8, False, True)
    assert (cat.low, dog.low) == (pytest.approx(exact(58, 58)[0]), pytest.approx(exact(8, 8)[0]))


def test_iou_of_a_class_stands_on_the_frames_that_have_it() -> None:
    task = Segmentation(("road", "car"))
    matrix = np.zeros((2, 3), np.int64)
    matrix[0, 0] = 90
    with_car = matrix.copy()
    with_car[1, 1] = 10
    found = replicates(task, [{"confusion": with_car if n < 9 else matrix} for n in range(40)], alone(40), 200)
    ends = interval(found, "IoU[car]")
    assert (ends.value, ends.groups, ends.few) == (1, 9, True)
    assert ends.low == pytest.approx(exact(9, 9)[0])
