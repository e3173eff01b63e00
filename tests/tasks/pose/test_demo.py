"""The pose model that ships: it is small, it finds the demo world's persons, and compression takes them from it."""

import numpy as np
import pytest
import torch

from harness.dataset import Sample
from harness.discovery.registry import load_registry
from harness.model import NoMemo
from harness.weights import load_state
from harness_plugins.demo_world.dataset import DemoWorld
from harness_tasks.pose.models.demo import WEIGHTS, DemoOpenPose
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Poses
from kit.pictures import jpeg

SCENES = 20


@pytest.fixture(scope="module")
def model() -> DemoOpenPose:
    made = DemoOpenPose()
    made.load(made.resolve_weights(None, ()), (), "cpu")
    return made


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    dataset = DemoWorld("pose", "test")
    dataset.open()
    return [dataset[index] for index in range(SCENES)]


def found(model: DemoOpenPose, frames: np.ndarray) -> Poses:
    with torch.inference_mode():
        return model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))[0][0]


def scores(model: DemoOpenPose, samples: list[Sample], quality: int | None) -> dict[str, float]:
    task, statistics = Pose(), []
    for sample in samples:
        frames = sample.frames if quality is None else jpeg(sample.frames[0], quality)[None]
        statistics.append(task.score(found(model, frames), sample.targets[0]))
    return {name: float(values[0]) for name, values in task.reduce(statistics).items()}


def test_finds_persons_and_suffers_from_compression(model: DemoOpenPose, samples: list[Sample]) -> None:
    clean, coarse = scores(model, samples, None), scores(model, samples, 5)
    assert clean["AP"] >= 0.5
    assert clean["AP50"] >= 0.9
    assert coarse["AP"] < 0.8 * clean["AP"]


def test_the_file_is_small() -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    floating = [tensor for tensor in load_state(WEIGHTS).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float16}


def test_the_registry_knows_the_file(model: DemoOpenPose) -> None:
    registry = load_registry([])
    facts = registry.entry("checkpoints", registry.entry("models", "demo-pose")["checkpoint"])
    assert model.resolve_weights(None, ()).sha256 == facts["sha256"]


def test_a_prediction_is_its_own_reference(model: DemoOpenPose, samples: list[Sample]) -> None:
    task, statistics, coarse = Pose(), [], []
    for sample in samples[:6]:
        poses = found(model, sample.frames)
        target = task.as_target(poses)
        assert len(target.crowd) == int((poses.scores >= 0.25).sum())
        statistics.append(task.score(poses, target))
        coarse.append(task.score(found(model, jpeg(sample.frames[0], 5)[None]), target))
        drawn = task.draw(sample.frames[0], poses)
        assert drawn.shape == sample.frames[0].shape
        assert (drawn != sample.frames[0]).any()
    assert task.reduce(statistics)["AP"][0] > 0.9
    assert task.reduce(coarse)["AP"][0] < task.reduce(statistics)["AP"][0]
