"""The depth estimator that ships: it is small, it has learned, and it suffers from compression."""

import numpy as np
import pytest
import torch

from harness.discovery.registry import load_registry
from harness.model import NoMemo
from harness.weights import load_state, read_classes
from harness_plugins.demo_world.scene import Scene, render
from harness_tasks.depth.models.demo import WEIGHTS, DemoDepthGan
from harness_tasks.depth.task import Depth
from kit.pictures import jpeg

IMAGES = 16


@pytest.fixture(scope="module")
def estimator() -> DemoDepthGan:
    model = DemoDepthGan()
    model.load(model.resolve_weights(None, ()), (), "cpu")
    return model


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render("test", index) for index in range(IMAGES)]


def found(model: DemoDepthGan, image: np.ndarray) -> np.ndarray:
    frames = np.ascontiguousarray(image[None])
    with torch.inference_mode():
        return model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))[0][0]


def scores(model: DemoDepthGan, scenes: list[Scene], quality: int | None) -> dict[str, float]:
    task = Depth()
    statistics = []
    for scene in scenes:
        image = scene.image if quality is None else jpeg(scene.image, quality)
        statistics.append(task.score(found(model, image), np.where(scene.depth < 999, scene.depth, np.nan)))
    return {name: float(values[0]) for name, values in task.reduce(statistics).items()}


def test_compression_costs_little_at_first_and_much_in_the_end(estimator: DemoDepthGan, scenes: list[Scene]) -> None:
    clean, mild, coarse = (scores(estimator, scenes, quality) for quality in (None, 95, 5))
    assert mild["rmse"] < 1.05 * clean["rmse"]
    assert coarse["rmse"] > 1.2 * clean["rmse"]
    assert coarse["delta1"] < 0.95 * clean["delta1"]


def test_the_file_is_small() -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert read_classes(WEIGHTS) == ()
    floating = [tensor for tensor in load_state(WEIGHTS).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float16}


def test_the_registry_knows_the_file(estimator: DemoDepthGan) -> None:
    registry = load_registry([])
    facts = registry.entry("checkpoints", registry.entry("models", "demo-depth")["checkpoint"])
    assert estimator.resolve_weights(None, ()).sha256 == facts["sha256"]


def test_other_sizes_are_predicted(estimator: DemoDepthGan, scenes: list[Scene]) -> None:
    """Cut to a size that the network pads, the prediction of the same part changes little."""
    whole, part = found(estimator, scenes[0].image), found(estimator, scenes[0].image[:, :225])
    assert part.shape == (192, 225)
    assert np.median(np.abs(part / whole[:, :225] - 1)) < 0.1
