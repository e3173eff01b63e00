"""The action task: its metrics against torchmetrics, sums over shards, ties, classes by name, drawings."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from harness.errors import WeightsError
from harness_tasks.action.drawing import MOTION, SPATIAL
from harness_tasks.action.task import Action, fusion
from harness_tasks.action.types import ClipScores

CLASSES = tuple(f"action{index}" for index in range(8))


def random_clips(seed: int, count: int) -> list[tuple[ClipScores, int]]:
    """Clips of which each stream knows something, but not the same."""
    rng = np.random.default_rng(seed)
    clips = []
    for _ in range(count):
        label = int(rng.integers(len(CLASSES) - 1))  # the last class has no clip
        logits = rng.normal(size=(2, len(CLASSES)))
        logits[:, label] += rng.uniform(0, 3, 2)
        spatial, motion = torch.from_numpy(logits).softmax(1).to(torch.float32).numpy()
        clips.append((ClipScores(spatial, motion), label))
    return clips


def evaluate(clips: Sequence[tuple[ClipScores, int]], weights: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
    task = Action(CLASSES)
    return task.reduce([task.score(*clip) for clip in clips], weights)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_torchmetrics(seed: int) -> None:
    clips = random_clips(seed, 150)
    found = evaluate(clips)
    labels = torch.tensor([label for _, label in clips])
    streams = {
        "spatial": torch.tensor(np.stack([scores.spatial for scores, _ in clips])),
        "motion": torch.tensor(np.stack([scores.motion for scores, _ in clips])),
        "fusion": torch.tensor(np.stack([fusion(scores) for scores, _ in clips])),
    }
    for name, scores in streams.items():
        for top in (1, 5):
            expected = multiclass_accuracy(scores, labels, len(CLASSES), average="micro", top_k=top)
            assert found[f"{name}_top{top}"][0] == pytest.approx(float(expected), abs=1e-7)
    expected = multiclass_accuracy(streams["fusion"], labels, len(CLASSES), average="none")
    present = labels.unique()
    assert len(present) == len(CLASSES) - 1
    assert found["mean_class_accuracy"][0] == pytest.approx(float(expected[present].mean()), abs=1e-7)


def test_the_metrics_are_those_declared_and_one_is_primary() -> None:
    found = evaluate(random_clips(0, 4))
    assert list(found)[: len(Action.metrics)] == [metric.name for metric in Action.metrics]
    task = Action(("jump", "run", "wave"))
    assert [metric.name for metric in task.all_metrics()][len(Action.metrics) :] == list(task.breakdowns()["classes"])
    assert next(name for name in found if "[" in name).startswith("fusion_top1[")
    assert [metric.name for metric in Action.metrics if metric.primary] == ["fusion_top1"]


def test_weights_count_clips_as_often_as_they_say() -> None:
    clips = random_clips(3, 20)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(20, np.full(20, 1 / 20), size=6).astype(np.float64)
    found = evaluate(clips, weights)
    for row, drawn in enumerate(weights.astype(int)):
        repeated = [clip for clip, times in zip(clips, drawn, strict=True) for _ in range(times)]
        expected = evaluate(repeated)
        for name, values in found.items():
            assert values[row] == pytest.approx(expected[name][0], abs=1e-12, nan_ok=True), name


def test_a_set_without_clips_has_no_value() -> None:
    for found in (evaluate([]), evaluate(random_clips(0, 3), np.zeros((1, 3)))):
        assert all(np.isnan(values).all() for values in found.values())


def test_equal_probabilities_are_never_right() -> None:
    task, flat = Action(CLASSES), np.full(len(CLASSES), 1 / len(CLASSES), np.float32)
    sure = np.eye(len(CLASSES), dtype=np.float32)[2]
    statistics = task.score(ClipScores(flat, sure), 2)
    assert statistics["ranks"].tolist() == [7, 0, 0]
    assert statistics["probability"] == pytest.approx((1 / 8 + 1) / 2)
    broken = np.full(len(CLASSES), np.nan, np.float32)
    assert task.score(ClipScores(broken, sure), 2)["ranks"].tolist() == [7, 0, 7]


def test_fusion_averages_the_streams() -> None:
    scores = ClipScores(np.array([0.6, 0.4], np.float32), np.array([0.3, 0.7], np.float32))
    task = Action(("a", "b"))
    assert fusion(scores) == pytest.approx([0.45, 0.55])
    assert task.as_target(scores) == 1
    assert task.score(scores, 1)["ranks"].tolist() == [1, 0, 0]
    assert task.sample_score([task.score(scores, 1)]) == pytest.approx(0.55)


def test_classes_are_matched_by_name() -> None:
    task = Action(("run", "wave", "bow"))
    model = ("bow", "run", "kick")
    scores = ClipScores(np.array([0.2, 0.5, 0.3], np.float32), np.array([0.1, 0.3, 0.6], np.float32))
    translated = task.translator(model, "mine")(scores)
    assert translated.spatial.tolist() == pytest.approx([0.5, 0, 0.2, 0.3])  # kick stays a mistake
    assert task.score(translated, 0)["ranks"].tolist() == [0, 1, 1]
    assert task.score(translated, 1)["ranks"].tolist() == [3, 3, 3]
    (note,) = task.translation_notes(model, "mine")
    assert "wave" in note
    assert task.translation_notes(("bow", "run", "wave", "kick"), "mine") == []
    with pytest.raises(WeightsError, match="none in common"):
        task.translator(("cat", "dog"), "mine")
    assert task.translator(("run", "wave", "bow"), "mine")(scores) is scores


@pytest.mark.parametrize(("height", "width"), [(192, 256), (720, 1280), (24, 20)])
def test_draws_the_first_classes_with_both_streams_bars(height: int, width: int) -> None:
    image = np.full((height, width, 3), 128, np.uint8)
    before = image.copy()
    spatial = np.array([0.1, 0.7, 0.2, 0, 0, 0, 0, 0], np.float32)
    motion = np.array([0.5, 0.4, 0.1, 0, 0, 0, 0, 0], np.float32)
    drawn = Action(CLASSES).draw(image, ClipScores(spatial, motion))
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == before).all()
    assert (drawn != image).any()
    orange, blue = ((drawn == np.array(colour, np.uint8)).all(axis=2) for colour in (SPATIAL, MOTION))
    longest = int(orange.sum(axis=1).max()), int(blue.sum(axis=1).max())
    assert longest[0] / longest[1] == pytest.approx(0.7 / 0.5, rel=0.2)
    named = Action(CLASSES).draw_target(image, 3)
    assert named.shape == image.shape
    assert (named != image).any()


def test_the_top1_of_a_class_is_that_of_its_clips_alone() -> None:
    clips = random_clips(5, 60)
    found = evaluate(clips)
    for label in {label for _, label in clips}:
        own = [clip for clip in clips if clip[1] == label]
        name = next(name for name in found if name.startswith("fusion_top1[") and name.endswith(f"{label}]"))
        assert found[name][0] == pytest.approx(evaluate(own)["fusion_top1"][0])
