"""Made-up frames for the tests of detection, and the two authorities: pycocotools, and VOC's definition."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections

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
