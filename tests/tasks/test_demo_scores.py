"""The shipped models reach, on all held-out data, what the registry states of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.discovery.registry import load_registry
from harness_plugins.demo_world.classes import CLASSES, SEGMENTS
from kit.command import Session

MODELS = {
    "detection": ("demo-detector", "AP", 200),
    "segmentation": ("demo-segnet", "mIoU", 200),
    "depth": ("demo-depth", "rmse", 200),
    "pose": ("demo-pose", "AP", 200),
    "action": ("demo-two-stream", "fusion_top1", 160),
}
"""Each task's model, the metric that is stated, and how many held-out samples there are."""

LEAST = {
    "detection": {"AP": 0.55, "AP50": 0.85, **{f"AP[{name}]": 0.25 for name in CLASSES}},
    "segmentation": {"mIoU": 0.75, **{f"IoU[{name}]": 0.3 for name in SEGMENTS}},
    "depth": {"delta1": 0.83},
    "pose": {"AP": 0.5},
    "action": {"fusion_top1": 0.93, "spatial_top1": 0.8, "motion_top1": 0.9},
}
"""What a demo model has to reach to be worth shipping."""

MOST = {"depth": {"abs_rel": 0.15}}
"""The same where lower is better."""

Found = Mapping[tuple[str, str], tuple[float, int]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Found:
    """Value and number of samples by task and metric: all held-out samples, by one command that a user types."""
    session = Session(tmp_path_factory.mktemp("scores"), cache)
    tasks = [word for task in MODELS for word in ("--task", task)]
    session.run("run", *tasks, "--codec", "none", "--resamples", "100")
    rows = session.select("select task, metric, value, samples from results")
    return {(task, metric): (value, samples) for task, metric, value, samples in rows}


@pytest.mark.parametrize("task", list(MODELS))
def test_reaches_the_score_that_the_registry_states(task: str, found: Found) -> None:
    model, metric, samples = MODELS[task]
    registry = load_registry([])
    stated = registry.entry("checkpoints", registry.entry("models", model)["checkpoint"])["score"]
    value, scored = found[task, metric]
    assert (stated["metric"], stated["dataset"], stated["split"], scored) == (metric, "demo", "test", samples)
    assert abs(value - stated["value"]) <= stated["tolerance"]
    for name, least in LEAST[task].items():
        assert found[task, name][0] >= least, name
    for name, most in MOST.get(task, {}).items():
        assert found[task, name][0] <= most, name
