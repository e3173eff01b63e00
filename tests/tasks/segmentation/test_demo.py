"""The segmenter that ships: it fits its dataset, it is small, and it finds what is there."""

import numpy as np
import pytest
import torch

from harness.discovery.registry import load_registry
from harness.model import NoMemo
from harness.weights import load_state, read_classes
from harness_plugins.demo_world.classes import SEGMENTS
from harness_plugins.demo_world.compositor import Scene
from harness_plugins.demo_world.scene import render
from harness_tasks.segmentation.models.demo import WEIGHTS, DemoSegNet
from harness_tasks.segmentation.task import Segmentation
from kit.pictures import jpeg

IMAGES = 24


@pytest.fixture(scope="module")
def model() -> DemoSegNet:
    made = DemoSegNet()
    made.load(made.resolve_weights(None, SEGMENTS), SEGMENTS, "cpu")
    return made


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render("test", index) for index in range(IMAGES)]


def miou(model: DemoSegNet, scenes: list[Scene], quality: int | None) -> float:
    task = Segmentation(SEGMENTS)
    statistics = []
    for scene in scenes:
        image = scene.image if quality is None else jpeg(scene.image, quality)
        with torch.inference_mode():
            batch = model.collate([model.prepare(np.ascontiguousarray(image[None]), (0,), NoMemo())])
            statistics.append(task.score(model.predict(batch)[0][0], scene.classes))
    return float(task.reduce(statistics)["mIoU"][0])


def test_finds_classes_and_suffers_from_compression(model: DemoSegNet, scenes: list[Scene]) -> None:
    clean, fine, coarse = (miou(model, scenes, quality) for quality in (None, 95, 5))
    assert clean >= 0.7
    assert fine >= 0.95 * clean
    assert coarse < 0.8 * clean


def test_the_file_is_small_and_says_its_classes() -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert read_classes(WEIGHTS) == SEGMENTS
    floating = [tensor for tensor in load_state(WEIGHTS).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float16}


def test_the_registry_knows_the_file(model: DemoSegNet) -> None:
    registry = load_registry([])
    facts = registry.entry("checkpoints", registry.entry("models", "demo-segnet")["checkpoint"])
    assert model.resolve_weights(None, SEGMENTS).sha256 == facts["sha256"]
