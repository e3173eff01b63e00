"""Intervals: against the textbook's for a mean, against plain reduction of each resample, and their rules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.statistics.drops import paired_interval
from harness.statistics.intervals import (
    interval,
    replicates,
    size_bias,
    standard_error,
    student,
    subset,
    subsets,
)
from harness.task import Metric, Task
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections


class Mean(Task):
    """The mean of a number a frame, and of the frames that are marked; and a metric that wants no interval."""

    name = "mean"
    metrics = (
        Metric("error", unit="m", higher_is_better=False, primary=True),
        Metric("marked", unit="m"),
        Metric("share"),
        Metric("plain", interval=False),
    )

    def score(self, prediction: object, target: object) -> dict[str, np.ndarray]:
        return {"error": np.array(prediction, np.float64), "mark": np.array(target, np.float64)}

    def reduce(self, statistics: Sequence, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        errors, marks = (np.array([float(frame[key]) for frame in statistics]) for key in ("error", "mark"))
        drawn = np.ones((1, len(errors))) if weights is None else weights
        total, marked = drawn.sum(axis=1), drawn @ marks
        mean = drawn @ errors / total
        some = np.where(marked > 0, drawn @ (errors * marks) / np.maximum(marked, 1), np.nan)
        return {"error": mean, "marked": some, "share": marked / total, "plain": mean}


def mean_of(errors: Sequence[float], marks: Sequence[float] | None = None) -> list[dict[str, np.ndarray]]:
    marks = [1.0] * len(errors) if marks is None else marks
    return [Mean().score(error, mark) for error, mark in zip(errors, marks, strict=True)]


def alone(count: int) -> list[str]:
    return [f"sample{index}" for index in range(count)]


def widened(error: float, influences: np.ndarray, t: float) -> tuple[float, float]:
    """How far an interval without limits reaches down and up: half a group more, 2.5 times the influences' skewness."""
    skew, squared = 2.5 * (influences**3).sum() / (influences**2).sum(), error**2 + (influences**2).max() / 2
    down, up = max(0.0, -skew), max(0.0, skew)
    return tuple(t * t * side / 2 + t * math.sqrt(squared + (t * side) ** 2 / 4) for side in (down, up))


def frames(seed: int, count: int, loss: float = 0.0) -> list[tuple[Detections, Boxes]]:
    """Frames of easy and hard objects; with a loss, of the same objects fewer are found, the hard ones first."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        objects = int(rng.integers(1, 6))
        corner = rng.uniform(0, 200, (objects, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 150, (objects, 2))], axis=1)
        labels = rng.integers(0, 3, objects)
        ease, noise = rng.uniform(size=objects) + rng.uniform(-0.3, 0.3), rng.normal(0, 3, (objects, 4))
        found = ease > 0.2 + loss
        false = rng.uniform(0, 200, (2, 2))
        given = np.concatenate([(boxes + noise)[found], np.concatenate([false, false + 40], axis=1)])
        scores = np.concatenate([ease[found].clip(0, 1), rng.uniform(0, 0.6, 2)])
        detections = Detections(
            given.astype(np.float32), scores.astype(np.float32), np.concatenate([labels[found], rng.integers(0, 3, 2)])
        )
        made.append((detections, Boxes.of(boxes, labels)))
    return made


def detection_statistics(seed: int, count: int, loss: float = 0.0) -> tuple[Detection, list]:
    task = Detection(("a", "b", "c"))
    return task, [task.score(*frame) for frame in frames(seed, count, loss)]


def test_the_standard_error_of_a_mean_is_the_textbooks() -> None:
    errors = np.random.default_rng(1).normal(3, 2, 50)
    found = replicates(Mean(), mean_of(errors), alone(50), resamples=4000)
    expected = errors.std(ddof=1) / math.sqrt(50)
    assert standard_error(found.resampled["error"], 50) == pytest.approx(expected, rel=0.03)
    assert abs(size_bias(found.values["error"], found.resampled["error"], 50)) < 0.1 * expected
    ends = interval(found, "error")
    assert ends.value == pytest.approx(errors.mean())
    below, above = widened(expected, (errors - errors.mean()) / 50, 2.0096)  # Student's t, 49 degrees of freedom
    assert ends.high - ends.value == pytest.approx(above, rel=0.03)
    assert ends.value - ends.low == pytest.approx(below, rel=0.03)
    assert 2.0096 * expected < above < 2.2 * expected


def test_what_a_small_set_exaggerates_counts_as_error() -> None:
    """The plain variance of n numbers is (n - 1) / n of the truth; the jackknife finds that -1/n of it."""

    class Variance(Mean):
        def reduce(self, statistics: Sequence, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
            errors = np.array([float(frame["error"]) for frame in statistics])
            drawn = np.ones((1, len(errors))) if weights is None else weights
            share = drawn / drawn.sum(axis=1, keepdims=True)
            return {"error": share @ errors**2 - (share @ errors) ** 2}

        def all_metrics(self) -> tuple[Metric, ...]:
            return (Metric("error", unit="m"),)

    errors = np.random.default_rng(1).normal(3, 2, 12)
    every = np.array([errors[list(chosen)].var() for chosen in itertools.combinations(range(12), 8)])
    assert size_bias(errors.var(), every, 12) == pytest.approx(-errors.var(ddof=1) / 12)
    found = replicates(Variance(), mean_of(errors), alone(12))
    bias = size_bias(found.values["error"], found.resampled["error"], 12)
    assert abs(bias) > 0.01
    ends = interval(found, "error")
    error = math.hypot(standard_error(found.resampled["error"], 12), bias)
    below, above = widened(error, found.influences["error"], 2.20099)  # Student's t, 11 degrees of freedom
    assert ends.high - ends.value == pytest.approx(above, rel=0.001)
    assert ends.value - ends.low == pytest.approx(below, rel=0.001)
    drop = paired_interval(found, replace(found, resampled={"error": 0 * found.resampled["error"]}), "error", False)
    _, above = widened(standard_error(found.resampled["error"], 12), found.influences["error"], 2.20099)
    assert drop.high - drop.value == pytest.approx(above, rel=0.001)


def test_two_groups_give_the_interval_of_two_numbers() -> None:
    found = interval(replicates(Mean(), mean_of([1.0, 1.0, 2.0]), ["x", "x", "y"]), "error")
    assert found.groups == 2
    assert found.value == pytest.approx(4 / 3)
    assert found.high - found.low > 2 * 12.7 * 0.5  # hardly anything is known from two


@pytest.mark.parametrize(
    ("freedom", "table"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (65, 1.997), (10**6, 1.960)]
)
def test_students_quantiles_are_the_tables(freedom: int, table: float) -> None:
    assert student(freedom) == pytest.approx(table, abs=0.0006)


def test_intervals_of_a_mean_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(300):
        errors = np.repeat(rng.normal(0, 1, 15), 4) + rng.normal(0, 0.5, 60)  # 15 groups of 4
        groups = [f"drive{index // 4}" for index in range(60)]
        ends = interval(replicates(Mean(), mean_of(errors), groups, resamples=200, seed=seed, threads=1), "error")
        assert ends.low is not None
        assert ends.high is not None
        held += ends.low <= 0 <= ends.high
    assert 0.91 < held / 300 < 0.98


def test_samples_of_one_group_go_together() -> None:
    errors = np.repeat(np.random.default_rng(2).normal(0, 1, 20), 5)
    apart = interval(replicates(Mean(), mean_of(errors), alone(100)), "error")
    together = interval(replicates(Mean(), mean_of(errors), [str(index // 5) for index in range(100)]), "error")
    assert together.groups == 20
    assert together.high - together.low > 1.8 * (apart.high - apart.low)


def test_each_draw_is_the_reduction_of_its_frames() -> None:
    task, statistics = detection_statistics(3, 30)
    groups = [f"group{index // 2}" for index in range(30)]
    found = replicates(task, statistics, groups, resamples=12, seed=7)
    for number in range(12):
        kept = subset(15, 7, number)
        assert kept.sum() == 10
        part = [frame for index, frame in enumerate(statistics) if kept[index // 2]]
        for name, value in task.reduce(part).items():
            np.testing.assert_allclose(found.resampled[name][number], value[0], atol=1e-12, err_msg=name)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> None:
    task, statistics = detection_statistics(4, 40)
    first = replicates(task, statistics, alone(40), resamples=600, seed=1, threads=1)
    again = replicates(task, statistics, alone(40), resamples=600, seed=1, threads=3)
    other = replicates(task, statistics, alone(40), resamples=600, seed=2)
    for name, draws in first.resampled.items():
        np.testing.assert_array_equal(draws, again.resampled[name], err_msg=name)
    assert interval(first, "AP") == interval(again, "AP")
    assert interval(first, "AP") != interval(other, "AP")


def test_paired_intervals_are_narrower_than_unpaired_ones() -> None:
    task, before = detection_statistics(5, 80)
    _, after = detection_statistics(5, 80, loss=0.15)
    baseline = replicates(task, before, alone(80))
    worse = replicates(task, after, alone(80))
    drop = paired_interval(worse, baseline, "AP", higher_is_better=True)
    assert drop.value == pytest.approx(baseline.values["AP"] - worse.values["AP"])
    assert drop.value > 0
    assert drop.low > 0  # significant
    single = [interval(found, "AP") for found in (baseline, worse)]
    unpaired = math.hypot(*((ends.high - ends.low) / 2 for ends in single))
    assert (drop.high - drop.low) / 2 < 0.75 * unpaired
    same = paired_interval(baseline, baseline, "AP", higher_is_better=True)
    unseen = binomtest(0, 80).proportion_ci(0.95).high  # none of 80 groups lost anything
    assert (same.value, same.low, same.high) == pytest.approx((0, -unseen, unseen))
    lossless = paired_interval(baseline, baseline, "AP", higher_is_better=True, exact=True)
    assert (lossless.value, lossless.low, lossless.high) == (0, 0, 0)


def test_a_drop_is_positive_when_an_error_grew() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(1, 1, 40)
    baseline = replicates(Mean(), mean_of(errors), alone(40))
    worse = replicates(Mean(), mean_of(errors + 0.5 + rng.normal(0, 0.1, 40)), alone(40))
    drop = paired_interval(worse, baseline, "error", higher_is_better=False)
    assert drop.low < 0.5 < drop.high
    assert drop.high - drop.low < 0.2
    assert paired_interval(worse, baseline, "error", higher_is_better=True).value == pytest.approx(-drop.value)


def test_only_the_same_samples_can_be_paired() -> None:
    baseline = replicates(Mean(), mean_of([1.0, 2, 3, 4]), alone(4))
    for other in (
        replicates(Mean(), mean_of([1.0, 2, 3]), alone(3)),
        replicates(Mean(), mean_of([1.0, 2, 3, 4]), list(reversed(alone(4)))),
        replicates(Mean(), mean_of([1.0, 2, 3, 4]), alone(4), seed=1),
        replicates(Mean(), mean_of([1.0, 2, 3, 4]), alone(4), resamples=500),
    ):
        with pytest.raises(ValueError, match="same samples"):
            paired_interval(other, baseline, "error", higher_is_better=False)
    with pytest.raises(ValueError, match="4 frames but 3 groups"):
        replicates(Mean(), mean_of([1.0, 2, 3, 4]), alone(3))


def test_a_metric_that_resamples_often_lack_has_a_value_but_no_interval() -> None:
    rare = replicates(Mean(), mean_of(range(20), [1.0] + [0.0] * 19), alone(20))
    ends = interval(rare, "marked")
    assert (ends.value, ends.low, ends.high) == (0, None, None)
    assert ends.reason is not None
    assert "undefined in 3" in ends.reason  # about a third
    drop = paired_interval(rare, rare, "marked", higher_is_better=True)
    assert (drop.value, drop.low) == (0, None)
    frequent = replicates(Mean(), mean_of(range(20), [1.0] * 5 + [0.0] * 15), alone(20))
    assert 0 < np.isnan(frequent.resampled["marked"]).mean() < 0.05
    assert interval(frequent, "marked").reason is None


def test_undefined_metrics_and_single_groups_say_why() -> None:
    none = interval(replicates(Mean(), mean_of([1.0, 2.0], [0.0, 0.0]), alone(2)), "marked")
    assert (none.value, none.low) == (None, None)
    assert none.reason is not None
    assert "undefined" in none.reason
    one = interval(replicates(Mean(), mean_of([1.0, 2.0]), ["drive", "drive"]), "error")
    assert (one.value, one.low, one.groups) == (1.5, None, 1)
    assert one.reason is not None
    assert "one group" in one.reason
    plain = interval(replicates(Mean(), mean_of([1.0, 2.0]), alone(2)), "plain")
    assert (plain.value, plain.low) == (1.5, None)
    assert plain.reason is not None


def test_no_samples_at_all() -> None:
    found = replicates(Mean(), [], [])
    assert interval(found, "error").value is None
    assert paired_interval(found, found, "error", higher_is_better=False).value is None


def test_intervals_of_ratios_stay_between_0_and_1() -> None:
    found = replicates(Mean(), mean_of([0.0] * 30, [1.0] * 28 + [0.0] * 2), alone(30))
    ends = interval(found, "share")
    assert ends.high == 1
    assert ends.low == pytest.approx(binomtest(28, 30).proportion_ci(0.95).low, abs=0.03)
    low = interval(replicates(Mean(), mean_of([0.0] * 30, [1.0] + [0.0] * 29), alone(30)), "share")
    assert low.low == 0
    lost = replicates(Mean(), mean_of([0.0] * 30, [0.0] * 30), alone(30))
    drop = paired_interval(lost, found, "share", higher_is_better=True)
    assert drop.value == pytest.approx(28 / 30)
    assert drop.low > 0.7
    assert drop.high <= 1


def test_wanted_metrics_alone_are_those_of_all() -> None:
    task, statistics = detection_statistics(6, 30)
    every = replicates(task, statistics, alone(30), resamples=300)
    for wanted in (["AP"], ["AP_small", "AP[b]"], ["AR10"], ["AP50_voc"], ["missed", "confidence"], []):
        found = replicates(task, statistics, alone(30), resamples=300, only=wanted)
        assert sorted(found.values) == sorted(found.resampled) == sorted(wanted)
        assert found.source == every.source
        for name in wanted:
            np.testing.assert_array_equal(found.values[name], every.values[name], err_msg=name)
            np.testing.assert_array_equal(found.resampled[name], every.resampled[name], err_msg=name)


def test_resamples_that_were_kept_are_those_that_are_drawn() -> None:
    for _ in range(2):
        for groups in (2, 7, 8, 65):
            drawn = subsets(groups, 3, range(5, 20))
            np.testing.assert_array_equal(drawn, [subset(groups, 3, number) for number in range(5, 20)])


def test_a_task_that_inherits_and_has_its_own_reduce_is_reduced_by_it() -> None:
    from harness_tasks.detection.task import Detection

    class Own(Detection):
        name = "own"

        def reduce(self, statistics: Any, weights: Any = None) -> dict[str, Any]:
            count = 1 if weights is None else len(weights)
            return {metric.name: np.full(count, 0.25) for metric in self.all_metrics()}

    class Further(Own):
        name = "further"

    for kind in (Own, Further):
        reduced = kind(("car",)).reducer([], None)(None)
        assert set(reduced.values().__iter__().__next__().tolist()) == {0.25}
