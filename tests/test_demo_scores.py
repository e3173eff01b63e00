"""The shipped pose and action models reach, on all held-out data, what the registry states of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import Session
from harness.discovery.registry import load_registry

LEAST = {
    "pose": {"AP": 0.5},
    "action": {"fusion_top1": 0.93, "spatial_top1": 0.8, "motion_top1": 0.9},
}
"""What a demo model has to reach to be worth shipping."""


@pytest.mark.parametrize(("task", "model", "samples"), [("pose", "demo-pose", 200), ("action", "demo-two-stream", 160)])
def test_reaches_the_score_that_the_registry_states(
    task: str, model: str, samples: int, tmp_path: Path, cache: Path
) -> None:
    session = Session(tmp_path, cache)
    session.run("run", "--task", task, "--codec", "none", "--resamples", "100")
    found = {metric: (value, n) for metric, value, n in session.select("select metric, value, samples from results")}
    registry = load_registry([])
    stated = registry.entry("checkpoints", registry.entry("models", model)["checkpoint"])["score"]
    assert (stated["dataset"], stated["split"], found[stated["metric"]][1]) == ("demo", "test", samples)
    assert abs(found[stated["metric"]][0] - stated["value"]) <= stated["tolerance"]
    for metric, least in LEAST[task].items():
        assert found[metric][0] >= least
