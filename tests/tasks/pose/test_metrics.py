"""The metrics of pose, held to pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import SampleError
from harness_tasks.datasets.coco import Coco
from harness_tasks.pose.oks import MAX_PERSONS, frame_statistics
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import KEYPOINTS, Persons, Poses

Frame = tuple[Poses, Persons]

NAMES = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")


def reference(frames: Sequence[Frame]) -> dict[str, float]:
    """The metrics as pycocotools computes them."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (poses, persons) in enumerate(frames, start=1):
        for row in range(len(persons.crowd)):
            x1, y1, x2, y2 = persons.boxes[row].tolist()
            points = persons.keypoints[row]
            entry = {
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": 1,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": float(persons.area[row]),
                "iscrowd": int(persons.crowd[row]),
                "keypoints": points.reshape(-1).tolist(),
                "num_keypoints": int((points[:, 2] > 0).sum()),
            }
            annotations.append(entry)
        for points, score in zip(poses.keypoints.astype(np.float64), poses.scores.tolist(), strict=True):
            result = {"image_id": image, "category_id": 1, "keypoints": points.reshape(-1).tolist(), "score": score}
            results.append(result)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": n + 1} for n in range(len(frames))],
            "categories": [{"id": 1, "name": "person", "keypoints": list(KEYPOINTS)}],
            "annotations": annotations,
        }
        truth.createIndex()
        run = evaluation.COCOeval(truth, truth.loadRes(results), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: value if value > -1 else np.nan for name, value in zip(NAMES, run.stats.tolist(), strict=True)}


def measured(frames: Sequence[Frame], weights: Any = None) -> dict[str, float]:
    task = Pose()
    metrics = task.reduce([task.score(*frame) for frame in frames], weights)
    assert list(metrics) == [metric.name for metric in task.all_metrics()]
    return {name: float(values[0]) for name, values in metrics.items()}


def perturbed(persons: Persons, rng: np.random.Generator, noise: float = 0.06) -> Poses:
    """Found persons near the annotated ones: some missed, some twice, some that are not there, some parts lacking."""
    rows = [row for row in range(len(persons.crowd)) for _ in range(int(rng.choice([0, 1, 1, 1, 2])))]
    points = [persons.keypoints[row].copy() for row in rows]
    for row, found in zip(rows, points, strict=True):
        scale = np.sqrt(persons.area[row]) * noise * rng.uniform(0, 2)
        found[:, :2] += rng.normal(0, max(scale, 0.1), (17, 2))
        found[rng.random(17) < 0.15] = 0
    points += [np.column_stack([rng.uniform(0, 400, (17, 2)), np.ones(17)]) for _ in range(int(rng.integers(3)))]
    scores = np.round(rng.random(len(points)), 1)  # with ties
    return Poses(np.array(points, np.float32).reshape(-1, 17, 3), scores.astype(np.float32))


def exact(persons: Persons) -> Poses:
    """Just those annotated persons that count."""
    counted = ~persons.crowd & (persons.keypoints[:, :, 2] > 0).any(axis=1)
    keypoints = persons.keypoints[counted].astype(np.float32)
    return Poses(keypoints, np.linspace(1, 0.5, len(keypoints), dtype=np.float32))


def random_persons(rng: np.random.Generator) -> Persons:
    count = int(rng.integers(0, 7))
    low = rng.uniform(0, 300, (count, 2))
    size = rng.choice([20.0, 60.0, 140.0, 250.0], count)[:, None] * rng.uniform(0.5, 1.2, (count, 2))
    points = low[:, None] + size[:, None] * rng.random((count, 17, 2))
    seen = rng.choice([0, 1, 2], (count, 17)) * (rng.random((count, 1)) < 0.85)
    keypoints = np.concatenate([points, np.ones((count, 17, 1))], axis=2) * (seen[..., None] > 0)
    keypoints[..., 2] = seen
    area = size.prod(axis=1) * rng.uniform(0.3, 0.8, count)
    area[rng.random(count) < 0.2] = 32.0**2
    return Persons(keypoints, np.concatenate([low, low + size], axis=1), area, rng.random(count) < 0.15)


def untied(poses: Poses, rng: np.random.Generator) -> Poses:
    """With scores of which no two are equal: persons of one frame that tie keep together when it is repeated."""
    return Poses(poses.keypoints, rng.random(len(poses.scores)).astype(np.float32))


def disagreeing(frames: Sequence[Frame]) -> list[str]:
    """The metrics that are not pycocotools'."""
    ours, theirs = measured(frames), reference(frames)
    return [name for name in NAMES if ours[name] != pytest.approx(theirs[name], abs=1e-9, nan_ok=True)]


@pytest.mark.parametrize("seed", range(12))
def test_equals_pycocotools_on_random_persons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    persons = [random_persons(rng) for _ in range(12)]
    assert disagreeing([(perturbed(target, rng), target) for target in persons]) == []


def test_equals_pycocotools_with_more_persons_than_it_looks_at() -> None:
    rng = np.random.default_rng(5)
    target = random_persons(rng)
    many = [perturbed(target, rng) for _ in range(12)]
    crowd = Poses(np.concatenate([p.keypoints for p in many]), np.concatenate([p.scores for p in many]))
    assert len(crowd.scores) > MAX_PERSONS
    assert disagreeing([(crowd, target), (perturbed(target, rng), target)]) == []


@pytest.mark.parametrize(("folder", "split"), [("coco_mini", "train2017"), ("coco_mmpose4", "val2017")])
def test_equals_pycocotools_on_real_annotations(folder: str, split: str, data_root: Path) -> None:
    dataset = Coco("pose", split, data_root / folder)
    dataset.open()
    targets = [dataset._index.persons_of(index) for index in range(len(dataset))]
    rng = np.random.default_rng(0)
    frames = [(perturbed(target, rng, noise), target) for noise in (0.02, 0.08) for target in targets]
    assert disagreeing(frames) == []
    assert 0.1 < measured(frames)["AP"] < 0.9
    assert measured([(exact(target), target) for target in targets])["AP"] == pytest.approx(1.0)


def test_weights_count_frames_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    frames = [(untied(perturbed(target, rng), rng), target) for target in (random_persons(rng) for _ in range(10))]
    counts = rng.integers(0, 4, (5, len(frames))).astype(np.float64)
    task = Pose()
    metrics = task.reduce([task.score(*frame) for frame in frames], counts)
    for row in range(len(counts)):
        repeated = [frame for frame, count in zip(frames, counts[row], strict=True) for _ in range(int(count))]
        expected = measured(repeated)
        for name in NAMES:
            assert metrics[name][row] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_nothing_found_and_nobody_there() -> None:
    nobody = Persons(np.zeros((0, 17, 3)), np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.bool_))
    nothing = Poses(np.zeros((0, 17, 3), np.float32), np.zeros(0, np.float32))
    somebody = random_persons(np.random.default_rng(1))
    empty = measured([(nothing, nobody)])
    assert {name: value for name, value in empty.items() if not np.isnan(value)} == dict.fromkeys(
        ("persons", "false_persons", "missed_persons", "mislocated_persons"), 0
    )
    assert measured([(nothing, somebody)])["AP"] == 0.0
    assert measured([(nothing, somebody), (nothing, nobody)])["AR"] == 0.0
    assert all(np.isnan(values).all() for values in Pose().reduce([]).values())


def test_refuses_numbers_that_are_none() -> None:
    target = random_persons(np.random.default_rng(1))
    with pytest.raises(SampleError, match="not finite"):
        frame_statistics(Poses(np.full((1, 17, 3), np.nan, np.float32), np.ones(1, np.float32)), target)


def test_a_samples_score_is_the_mean_oks_of_its_persons() -> None:
    task, rng = Pose(), np.random.default_rng(2)
    target = random_persons(rng)
    perfect = exact(target)
    assert task.sample_score([task.score(perfect, target)]) == pytest.approx(1.0, abs=0.006)
    worse = task.sample_score([task.score(perturbed(target, rng, 0.1), target)])
    assert worse is not None
    assert 0 < worse < 1
    nobody = Persons(np.zeros((0, 17, 3)), np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.bool_))
    assert task.sample_score([task.score(perfect, nobody)]) is None


def test_a_prediction_as_reference_is_its_confident_persons() -> None:
    keypoints = np.zeros((3, 17, 3), np.float32)
    keypoints[0, :5] = [[10, 20, 0.9], [30, 40, 0.8], [50, 60, 0.05], [0, 0, 0], [12, 22, 0.1]]
    keypoints[1, 3] = [5, 5, 0.9]
    keypoints[2, 3] = [7, 7, 0.05]
    target = Pose().as_target(Poses(keypoints, np.array([0.9, 0.1, 0.8], np.float32)))
    assert target.keypoints.shape == (1, 17, 3)
    assert target.keypoints[0, :5, 2].tolist() == [2, 2, 0, 0, 2]
    assert target.boxes.tolist() == [[10, 20, 31, 41]]
    assert target.area == pytest.approx([0.53 * 21 * 21])
    assert measured([(Poses(keypoints[:1], np.ones(1, np.float32)), target)])["AP"] == pytest.approx(1.0)
    nobody = Pose().as_target(Poses(keypoints[:0], np.zeros(0, np.float32)))
    assert nobody.keypoints.shape == (0, 17, 3)
