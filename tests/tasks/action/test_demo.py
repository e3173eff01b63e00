"""The two-stream model that ships: it fits its dataset, it is small, and it knows what persons do."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from harness.discovery.registry import load_registry
from harness.model import NoMemo
from harness.weights import load_state, read_classes
from harness_codecs.av_family import H264
from harness_plugins.demo_world.action_clips import FPS, action, render
from harness_plugins.demo_world.actions import ACTIONS
from harness_tasks.action.models.demo import WEIGHTS, DemoTwoStream
from harness_tasks.action.task import Action

CLIPS = range(0, 160, 7)
"""23 of the 160 held-out clips, all ten actions among them."""


@pytest.fixture(scope="module")
def model() -> DemoTwoStream:
    made = DemoTwoStream()
    made.load(made.resolve_weights(None, ACTIONS), ACTIONS, "cpu")
    return made


@pytest.fixture(scope="module")
def clips() -> dict[int, np.ndarray]:
    return {index: render("test", index) for index in CLIPS}


def scores(model: DemoTwoStream, clips: Iterable[tuple[int, np.ndarray]]) -> dict[str, float]:
    task, statistics = Action(ACTIONS), []
    for index, frames in clips:
        with torch.inference_mode():
            ((found,),) = model.predict(model.collate([model.prepare(frames, (0,), NoMemo())]))
        statistics.append(task.score(found, action(index)))
    return {name: float(values[0]) for name, values in task.reduce(statistics).items()}


def test_the_file_is_small_and_says_its_classes() -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert read_classes(WEIGHTS) == ACTIONS
    floating = [tensor for tensor in load_state(WEIGHTS).values() if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float16}


def test_the_registry_knows_the_file(model: DemoTwoStream) -> None:
    registry = load_registry([])
    facts = registry.entry("checkpoints", registry.entry("models", "demo-two-stream")["checkpoint"])
    assert model.resolve_weights(None, ACTIONS).sha256 == facts["sha256"]
    assert tuple(facts["classes"]) == ACTIONS


def test_knows_what_persons_do_until_they_are_compressed_away(
    model: DemoTwoStream, clips: dict[int, np.ndarray]
) -> None:
    codec = H264()
    clean = scores(model, clips.items())
    coarse = scores(model, ((i, codec.decode(codec.encode(frames, 50, FPS))) for i, frames in clips.items()))
    assert clean["fusion_top1"] >= 0.8
    assert clean["spatial_top1"] >= 0.6
    assert clean["motion_top1"] >= 0.75
    assert coarse["fusion_top1"] < 0.8 * clean["fusion_top1"]
