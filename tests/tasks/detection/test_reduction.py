"""The reduction of many weighted sets: equal to the last bit to a plain one, set by set, class by class."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from harness.statistics.agreement import PREFIX, Agreement
from harness_tasks.detection.joined import JoinedFrames
from harness_tasks.detection.matching import AREAS, THRESHOLDS, unpack
from harness_tasks.detection.reduction import class_lists, class_metrics
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes
from harness_tasks.detection.voc import TRUE, VOID
from kit.detection import NOTHING, detections, random_frame

Frames = Sequence[dict[str, np.ndarray]]


def added_up(terms: Sequence[float]) -> float:
    """The sum of terms in the order that is promised: halves of even and odd places, of four pairs the last first."""
    halves = [0.0, 0.0]
    whole = len(terms) // 8 * 8
    order = [start + place for start in range(0, whole, 8) for place in (6, 4, 2, 0)]
    for first in [*order, *range(whole, len(terms), 2)]:
        for half in (0, 1):
            halves[half] += terms[first + half] if first + half < len(terms) else 0.0
    return halves[0] + halves[1]


def reached(points: int) -> Callable[[float], float]:
    levels = np.linspace(0, 1, points)
    return lambda recall: float(np.searchsorted(levels, recall, side="right")) / points


def plain_ap(outcomes: Iterable[tuple[float, bool, bool]], positives: float, rule: Callable[[float], float]) -> float:
    """AP from (weight, hit, kept) of each detection, the most confident first."""
    if positives <= 0:
        return float("nan")
    kept = [(weight, hit) for weight, hit, counts in outcomes if counts]
    points, true, seen = [], 0.0, 0.0
    for place, (weight, hit) in enumerate(kept):
        true, seen = true + weight * hit, seen + weight
        if hit and not (place + 1 < len(kept) and kept[place + 1][1]):
            points.append((true, true / seen if seen else 0.0))
    if not points:
        return 0.0
    shares = [rule(true / positives) for true, _ in points]
    best = [max(precision for _, precision in points[place:]) for place in range(len(points))]
    rises = [later - earlier for earlier, later in itertools.pairwise(shares)]
    return added_up([rise * height for rise, height in zip(rises, best[1:], strict=True)]) + shares[0] * best[0]


def plain(statistics: Frames, classes: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """What `class_metrics` returns, of one set: no array operation over detections, classes or thresholds."""
    precision = np.full((len(AREAS), classes, len(THRESHOLDS)), np.nan)
    pascal, recall = np.full((2, classes), np.nan), np.full((6, classes), np.nan)
    for label in range(classes):
        rows, objects, ranks = [], np.zeros(len(AREAS)), []
        for number, frame in enumerate(statistics):
            hit, void = unpack(frame["hit"]), unpack(frame["void"])
            mine = [n for n in range(len(frame["score"])) if frame["label"][n] == label]
            mine.sort(key=lambda n, score=frame["score"]: -score[n])  # type: ignore[misc]
            ranks += [(weights[number], place, hit[n]) for place, n in enumerate(mine)]
            rows += [(-frame["score"][n], weights[number], hit[n], ~void[n], frame["voc"][n]) for n in mine]
            for kind, flags in zip(frame["object_label"], frame["object_flags"], strict=True):
                if kind == label and not flags & 3:
                    objects += weights[number] * np.array([1, flags >> 2 & 1, flags >> 3 & 1, flags >> 4 & 1])
        rows.sort(key=lambda row: row[0])  # stable: equal scores stay in dataset order
        for size in range(len(AREAS)):
            for place in range(len(THRESHOLDS)):
                curve = [(w, bool(hit[size, place]), bool(kept[size, place])) for _, w, hit, kept, _ in rows]
                precision[size, label, place] = plain_ap(curve, objects[size], reached(101))
        voc = [(w, bool(outcome == TRUE), bool(outcome != VOID)) for _, w, _, _, outcome in rows]
        pascal[:, label] = [plain_ap(voc, objects[0], rule) for rule in (reached(11), lambda share: share)]
        for kind, (limit, size) in enumerate([(1, 0), (10, 0), (100, 0), (100, 1), (100, 2), (100, 3)]):
            found = sum(w * hit[size].sum() for w, rank, hit in ranks if rank < limit)
            if objects[size] > 0:
                recall[kind, label] = found / (objects[size] * len(THRESHOLDS))
    return {"precision": precision, "voc07": pascal[0], "voc": pascal[1], "recall": recall}


def scored(seed: int, frames: int, classes: int, **how: object) -> list[dict[str, np.ndarray]]:
    """Statistics of made-up frames with ties, crowds and difficult objects."""
    rng, task = np.random.default_rng(seed), Detection(tuple("abcdefgh"[:classes]))
    made = []
    for _ in range(frames):
        found, truth = random_frame(rng, classes, **how)  # type: ignore[arg-type]
        difficult = rng.uniform(size=len(truth.labels)) < 0.1
        made.append(dict(task.score(found, Boxes.of(truth.boxes, truth.labels, truth.crowd, difficult, truth.area))))
    return made


def one_class(frames: int) -> list[dict[str, np.ndarray]]:
    """Statistics with long curves: hits and misses take turns."""
    rng, task = np.random.default_rng(7), Detection(("a",))
    made = []
    for _ in range(frames):
        corner = rng.uniform(0, 900, (12, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(20, 120, (12, 2))], axis=1)
        found = np.concatenate([boxes + rng.normal(0, 3, boxes.shape), boxes + 400])
        made.append(dict(task.score(detections(found, rng.uniform(size=24), [0] * 24), Boxes.of(boxes, [0] * 12))))
    return made


BOX = [[0, 0, 50, 50]]
CASES = {
    "ties": (scored(0, 25, 4), 4),
    "no ties": (scored(1, 25, 3, ties=False, crowds=0.0), 3),
    "one class": (scored(2, 20, 1), 1),
    "a class without objects": (scored(3, 12, 3), 5),
    "one frame": (scored(4, 1, 2), 2),
    "long curves": (one_class(40), 1),
    "no objects": ([dict(Detection(("a",)).score(detections(BOX, [0.5], [0]), NOTHING))] * 3, 1),
    "no detections": ([dict(Detection(("a",)).score(detections(), Boxes.of(BOX, [0])))] * 3, 1),
    "nothing": ([dict(Detection(("a",)).score(detections(), NOTHING))] * 3, 1),
}


def sets_of(count: int, frames: int) -> np.ndarray:
    """All frames; none; two thirds of them, drawn; and whole numbers of each."""
    rng = np.random.default_rng(count)
    drawn = [rng.permutation(frames) < max(1, 2 * frames // 3) for _ in range(count)]
    return np.stack([np.ones(frames), np.zeros(frames), *drawn, rng.integers(0, 4, frames)]).astype(np.float64)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 12])
def test_all_sets_together_are_each_set_alone(case: str, count: int) -> None:
    statistics, classes = CASES[case]
    weights = sets_of(count, len(statistics))
    found = class_metrics(class_lists(JoinedFrames(statistics), classes), weights)
    for number in range(len(weights)):
        expected = plain(statistics, classes, weights[number])
        np.testing.assert_array_equal(found["precision"][:, :, number], expected["precision"])
        np.testing.assert_array_equal(found["recall"][:, :, number], expected["recall"])
        for name in ("voc07", "voc"):
            np.testing.assert_array_equal(found[name][:, number], expected[name], err_msg=name)


def test_frames_may_count_in_part() -> None:
    statistics, classes = CASES["ties"]
    weights = np.random.default_rng(0).integers(0, 16, (3, len(statistics))) / 8  # so that sums are exact
    found = class_metrics(class_lists(JoinedFrames(statistics), classes), weights)
    for number in range(len(weights)):
        expected = plain(statistics, classes, weights[number])
        np.testing.assert_array_equal(found["precision"][:, :, number], expected["precision"])
        np.testing.assert_array_equal(found["recall"][:, :, number], expected["recall"])


def test_a_single_set_of_many_points_is_that_set_among_others() -> None:
    """NumPy's `einsum` adds up a single row in parts of 8,192 numbers, and so do we: last digits may differ."""
    statistics = one_class(2000)
    lists = class_lists(JoinedFrames(statistics), 1)
    assert np.diff(lists.precision.curves.bounds).max() > 8193
    weights = sets_of(1, len(statistics))
    together = class_metrics(lists, weights)["precision"]
    for number in range(len(weights)):
        alone = class_metrics(lists, weights[number : number + 1])["precision"]
        np.testing.assert_allclose(alone[:, :, 0], together[:, :, number], rtol=1e-12)


@pytest.mark.parametrize("reference", ["labels", "predictions"])
def test_wanted_metrics_are_those_of_all(reference: str) -> None:
    statistics, classes = CASES["ties"]
    task: Detection | Agreement = Detection(tuple("abcd"[:classes]))
    if reference == "predictions":
        task = Agreement(task)
    weights = sets_of(3, len(statistics))
    every = task.reduce(statistics, weights)
    names = [metric.name for metric in task.all_metrics()]
    assert sorted(every) == sorted(names)
    assert names[0] == ("AP" if reference == "labels" else f"{PREFIX}AP")
    for name in names:
        np.testing.assert_array_equal(task.reducer(statistics, [name])(weights)[name], every[name], err_msg=name)
    assert not any(name.endswith("missed") for name in task.reducer(statistics, names[:1])(weights))


def test_numbers_of_detections_and_mistakes_are_those_of_a_loop() -> None:
    statistics, _ = CASES["ties"]
    task = Detection(tuple("abcd"), confidence=0.4)
    weights = sets_of(3, len(statistics))
    found = task.reduce(statistics, weights)
    frames = np.maximum(weights.sum(axis=1), 1)
    kinds = ("missed", "mislocated", "misclassified", "duplicated", "background", "confused")
    counts = {name: np.zeros(len(weights)) for name in ("detections", *kinds)}
    for frame, weight in zip(statistics, weights.T, strict=True):
        hit, void = (unpack(frame[name])[:, 0, 0] for name in ("hit", "void"))
        counts["missed"] += weight * int((frame["object_flags"] & 3 == 0).sum())
        for n in np.flatnonzero(frame["score"] >= 0.4):
            counts["detections"] += weight
            counts["missed"] -= weight * int(hit[n])
            if hit[n] or void[n]:
                continue
            own, nearest = int(frame["own"][n]), int(frame["any"][n])
            other = bool(len(frame["object_label"])) and frame["object_label"][frame["object"][n]] != frame["label"][n]
            kind = (
                "mislocated" if 20 < own < 100
                else "misclassified" if other and nearest >= 100
                else "duplicated" if own >= 100
                else "background" if nearest <= 20
                else "confused"
            )  # fmt: skip
            counts[kind] += weight
    for name, values in counts.items():
        np.testing.assert_array_equal(found[name][2:], (values / frames)[2:], err_msg=name)
