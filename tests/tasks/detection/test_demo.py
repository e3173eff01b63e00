"""The detector that ships: it fits its dataset, it is small, and it finds what is there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.discovery.registry import load_registry
from harness.errors import WeightsError
from harness.model import NoMemo
from harness.weights import load_state, read_classes
from harness_plugins.demo_world.classes import CLASSES
from harness_plugins.demo_world.compositor import Scene
from harness_plugins.demo_world.scene import render
from harness_tasks.detection.models.demo import WEIGHTS, DemoDetector
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes, Detections
from kit.command import Session
from kit.pictures import jpeg

IMAGES = 24


@pytest.fixture(scope="module")
def detector() -> DemoDetector:
    model = DemoDetector()
    model.load(model.resolve_weights(None, CLASSES), CLASSES, "cpu")
    return model


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render("test", index) for index in range(IMAGES)]


def found(model: DemoDetector, image: np.ndarray) -> Detections:
    frames = np.ascontiguousarray(image[None])
    with torch.inference_mode():
        return model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))[0][0]


def scores(model: DemoDetector, scenes: list[Scene], quality: int | None) -> dict[str, float]:
    task = Detection(classes=CLASSES)
    statistics = []
    for scene in scenes:
        image = scene.image if quality is None else jpeg(scene.image, quality)
        statistics.append(task.score(found(model, image), Boxes.of(scene.boxes, scene.labels)))
    return {name: float(values[0]) for name, values in task.reduce(statistics).items()}


def test_finds_objects_and_suffers_from_compression(detector: DemoDetector, scenes: list[Scene]) -> None:
    clean, coarse = scores(detector, scenes, None), scores(detector, scenes, 5)
    assert clean["AP"] >= 0.5
    assert clean["AP50"] >= 0.8
    assert coarse["AP"] < 0.8 * clean["AP"]


def test_the_file_is_small_and_says_its_classes() -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert read_classes(WEIGHTS) == CLASSES
    floating = [tensor for tensor in load_state(WEIGHTS).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float16}


def test_the_registry_knows_the_file(detector: DemoDetector) -> None:
    registry = load_registry([])
    facts = registry.entry("checkpoints", registry.entry("models", "demo-detector")["checkpoint"])
    assert detector.resolve_weights(None, CLASSES).sha256 == facts["sha256"]


def test_compression_lowers_its_score_beyond_chance(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    session.run("run", "--task", "detection", "--codec", "jpeg@5", "--limit", "60", "--resamples", "500")
    ((drop, low),) = session.select("select \"drop\", drop_ci_low from curves where metric = 'AP' and codec = 'jpeg'")
    assert 0 < low < drop


def test_other_classes_are_refused() -> None:
    model = DemoDetector()
    weights = model.resolve_weights(None, CLASSES)
    wrong = type(weights)(weights.name, weights.path, weights.sha256, ("cat", "dog"))
    with pytest.raises(WeightsError, match="6 classes"):
        model.load(wrong, ("cat", "dog"), "cpu")


def test_images_of_another_size_are_scaled(detector: DemoDetector, scenes: list[Scene]) -> None:
    large = np.asarray(Image.fromarray(scenes[0].image).resize((512, 384), Image.Resampling.BICUBIC))
    small, big = found(detector, scenes[0].image), found(detector, large)
    assert len(big.boxes)
    best, twice = small.boxes[small.scores.argmax()], big.boxes[big.scores.argmax()] / 2
    assert np.abs(best - twice).max() < 12


def test_a_training_example_may_be_mirrored() -> None:
    model = DemoDetector()
    scene = render("val", 0)
    target = {0: Boxes.of(scene.boxes, scene.labels)}
    shown = [model.prepare_train(scene.image[None], target, np.random.default_rng(seed)) for seed in range(8)]
    firsts = {float(example["boxes"][0, 0]) for example in shown}
    assert firsts == {float(scene.boxes[0, 0]), 256 - float(scene.boxes[0, 2])}
    losses = model.build(CLASSES).train() and model.losses(model.collate_train(shown[:2]), "model")
    assert all(torch.isfinite(loss) for loss in losses.values())
