"""Detection metrics against pycocotools, against VOC's definition written down anew, and against published values."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.errors import SampleError
from harness_tasks.detection.matching import STEPS, frame_statistics, overlaps, unpack
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.detection.voc import FALSE, TRUE, VOID, voc_outcomes

COCO_METRICS = ["AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"]  # in COCOeval's order
COCO_METRICS += ["AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"]
Frame = tuple[Detections, Boxes]
NOTHING = Boxes.of([], [])


def detections(boxes: object = (), scores: object = (), labels: object = ()) -> Detections:
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(corners, np.asarray(scores, np.float32).reshape(-1), np.asarray(labels, np.int64).reshape(-1))


def random_frame(rng: np.random.Generator, classes: int = 4, crowds: float = 0.1, ties: bool = True) -> Frame:
    """Objects of all sizes with near, doubled, mislabelled and false detections; often none of the one or the other."""
    count = int(rng.integers(0, 8))
    sides = np.exp(rng.uniform(1.5, 5.3, (count, 2)))
    corner = rng.uniform(0, 300, (count, 2))
    boxes = np.round(np.concatenate([corner, corner + sides], axis=1), 2)
    labels = rng.integers(0, classes, count)
    crowd = rng.uniform(size=count) < crowds
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * rng.uniform(0.5, 1, count)
    copies = rng.integers(0, count, int(rng.integers(0, 14))) if count else np.zeros(0, np.int64)
    noise = rng.normal(0, rng.choice([0, 0.02, 0.08, 0.2], (len(copies), 1)), (len(copies), 4))
    near = boxes[copies] + noise * np.tile(sides[copies], 2)
    false = rng.uniform(0, 300, (int(rng.integers(0, 6)), 2))
    found = np.concatenate([near, np.concatenate([false, false + rng.uniform(5, 100, false.shape)], axis=1)])
    found = np.sort(found.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    mixed = np.where(rng.uniform(size=len(copies)) < 0.85, labels[copies], rng.integers(0, classes, len(copies)))
    scores = rng.uniform(size=len(found))
    if ties:
        scores = np.round(scores, 1)
    named = np.concatenate([mixed, rng.integers(0, classes, len(false))])
    order = rng.permutation(len(found))
    return detections(found[order], scores[order], named[order]), Boxes.of(boxes, labels, crowd, None, area)


def random_frames(seed: int, count: int, classes: int = 4, ties: bool = True) -> list[Frame]:
    rng = np.random.default_rng(seed)
    return [random_frame(rng, classes, ties=ties) for _ in range(count)]


def task_of(classes: int) -> Detection:
    return Detection(tuple(f"class{index}" for index in range(classes)))


def evaluate(task: Detection, frames: Iterable[Frame]) -> dict[str, float]:
    values = task.reduce([task.score(*frame) for frame in frames])
    return {name: float(value[0]) for name, value in values.items()}


def pycocotools(
    frames: Sequence[Frame], classes: int, ignore_difficult: bool = False
) -> tuple[list[float], np.ndarray]:
    """The twelve numbers, and AP by class. Difficult objects become so large that no size range holds them."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def sized(boxes: np.ndarray) -> list[list[float]]:
        corners = boxes.astype(np.float64)
        return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()

    objects, found = [], []
    for image, (prediction, target) in enumerate(frames, start=1):
        for index, box in enumerate(sized(target.boxes)):
            area = 1e11 if ignore_difficult and target.difficult[index] else float(target.area[index])
            entry = {"id": len(objects) + 1, "image_id": image, "category_id": int(target.labels[index]) + 1}
            objects.append(entry | {"bbox": box, "area": area, "iscrowd": int(target.crowd[index])})
        for index, box in enumerate(sized(prediction.boxes)):
            score, label = float(prediction.scores[index]), int(prediction.labels[index]) + 1
            found.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image + 1} for image in range(len(frames))],
            "annotations": objects,
            "categories": [{"id": label + 1} for label in range(classes)],
        }
        truth.createIndex()
        return coco_numbers(COCOeval(truth, truth.loadRes(found), "bbox"))


def coco_numbers(evaluation: object) -> tuple[list[float], np.ndarray]:
    evaluation.evaluate()  # type: ignore[attr-defined]
    evaluation.accumulate()  # type: ignore[attr-defined]
    evaluation.summarize()  # type: ignore[attr-defined]
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # type: ignore[attr-defined]
    by_class = precision.mean(axis=(0, 1))
    stats = [float("nan") if value == -1 else float(value) for value in evaluation.stats]  # type: ignore[attr-defined]
    return stats, np.where(by_class < 0, np.nan, by_class)


def voc_kit(frames: Sequence[Frame], label: int, threshold: float = 0.5) -> tuple[float, float]:
    """11-point and area AP of one class as VOCevaldet.m, VOCap.m and VOCevaldet's 2007 edition define them.

    Works on the kit's own corners: from 1, both ends included, sides with +1.
    """
    kit_truth, taken, positives = [], [], 0
    for _, target in frames:
        chosen = target.labels == label
        corners = target.boxes[chosen] + np.array([1.0, 1.0, 0.0, 0.0])
        kit_truth.append((corners, target.difficult[chosen]))
        taken.append([False] * int(chosen.sum()))
        positives += int((~target.difficult[chosen]).sum())
    if not positives:
        return float("nan"), float("nan")
    listed = [
        (float(score), image, box + np.array([1.0, 1.0, 0.0, 0.0]))
        for image, (prediction, _) in enumerate(frames)
        for box, score, name in zip(prediction.boxes, prediction.scores, prediction.labels, strict=True)
        if name == label
    ]
    listed.sort(key=lambda entry: -entry[0])
    true, false = [0], [0]
    for _, image, box in listed:
        best, place = -np.inf, -1
        corners, difficult = kit_truth[image]
        for index, other in enumerate(corners):
            low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
            width, height = high - low + 1
            if width > 0 and height > 0:
                union = np.prod(box[2:] - box[:2] + 1) + np.prod(other[2:] - other[:2] + 1) - width * height
                if width * height / union > best:
                    best, place = width * height / union, index
        hit = best >= threshold
        void = hit and bool(difficult[place])
        good = hit and not void and not taken[image][place]
        if good:
            taken[image][place] = True
        true.append(true[-1] + good)
        false.append(false[-1] + (not good and not void))
    recall = np.array(true[1:]) / positives
    counted = np.array(true[1:]) + np.array(false[1:])
    precision = np.array(true[1:]) / np.maximum(counted, 1)
    eleven = sum(precision[recall >= level].max(initial=0.0) / 11 for level in np.linspace(0, 1, 11))
    curve_recall = np.concatenate([[0], recall, [1]])
    curve_precision = np.concatenate([[0], precision, [0]])
    for index in range(len(curve_precision) - 2, -1, -1):
        curve_precision[index] = max(curve_precision[index], curve_precision[index + 1])
    steps = np.flatnonzero(curve_recall[1:] != curve_recall[:-1]) + 1
    area = float(((curve_recall[steps] - curve_recall[steps - 1]) * curve_precision[steps]).sum())
    return float(eleven), area


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


def test_undefined_is_nan() -> None:
    false_only = evaluate(task_of(2), [(detections([[0, 0, 10, 10]], [0.9], [0]), NOTHING)])
    assert all(np.isnan(value) for value in false_only.values())
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
    assert all(values[name] == pytest.approx(1) for name in values if name not in ("AR1", "AR10"))


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


@pytest.fixture
def oracles(data_root: Path) -> Path:
    folder = data_root / "metric_oracles"
    if not folder.is_dir():
        pytest.skip("HARNESS_TEST_DATA has no folder metric_oracles")
    return folder


def coco_frames(truth: Mapping[str, list[dict]], results: list[dict]) -> tuple[list[Frame], list[str]]:
    """The frames in image order, and the names of the categories in the order of their ids."""
    names = {entry["id"]: entry["name"] for entry in sorted(truth["categories"], key=lambda entry: entry["id"])}
    place = {number: index for index, number in enumerate(names)}
    frames = []
    for image in sorted(entry["id"] for entry in truth["images"]):
        objects = [entry for entry in truth["annotations"] if entry["image_id"] == image]
        found = [entry for entry in results if entry["image_id"] == image]
        boxes = np.array([entry["bbox"] for entry in objects]).reshape(-1, 4)
        corners = np.array([entry["bbox"] for entry in found]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        corners[:, 2:] += corners[:, :2]
        target = Boxes.of(
            boxes,
            [place[entry["category_id"]] for entry in objects],
            [entry["iscrowd"] for entry in objects],
            None,
            [entry["area"] for entry in objects],
        )
        scores = np.array([entry["score"] for entry in found])
        labels = np.array([place[entry["category_id"]] for entry in found], np.int64)
        frames.append((Detections(corners, scores, labels), target))  # float64: the published boxes, unrounded
    return frames, list(names.values())


def test_published_coco_numbers(oracles: Path) -> None:
    truth = json.loads((oracles / "coco_bbox" / "instances_val2014_100.json").read_text())
    results = json.loads((oracles / "coco_bbox" / "instances_val2014_fakebbox100_results.json").read_text())
    frames, names = coco_frames(truth, results)
    values = evaluate(Detection(tuple(names)), frames)
    # tests of faster-coco-eval, from pycocotools; AP ... AR_large
    published = [0.5045806987249628, 0.6969727247299577, 0.5729816669904824, 0.5856257209410443, 0.5193996948036719]
    published += [0.5013978986347466, 0.38681277964578054, 0.5936795762842003, 0.595352982877607, 0.6398109626113442]
    published += [0.5664205978994309, 0.5642905982905982]
    np.testing.assert_allclose([values[name] for name in COCO_METRICS], published, rtol=0, atol=1e-9)


def test_real_objects_with_crowds_equal_pycocotools(oracles: Path) -> None:
    path = oracles.parent / "coco_mini" / "annotations" / "instances_train2017.json"
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


def test_published_voc_numbers(oracles: Path) -> None:
    """Their files give left, top, width, height, and their overlap takes left + width as the last pixel."""

    def boxes(path: Path, columns: slice) -> np.ndarray:
        rows = [[float(value) for value in line.split()[1:]] for line in path.read_text().splitlines() if line.strip()]
        table = np.array(rows).reshape(len(rows), -1)
        corners = table[:, columns].copy()
        corners[:, 2:] += corners[:, :2] + 1
        return np.concatenate([table[:, :1], corners], axis=1)

    frames = []
    for path in sorted((oracles / "voc_ap_7images" / "gts").glob("*.txt")):
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
