"""A task whose metric is the mean of one number a sample, its resamples, and experiments whose values are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from harness.results.cells import MeasuredMetric, ResultCell
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates, replicates
from harness.task import Metric, Task

__all__ = ["Mean", "a_cell", "drawn", "pair"]


class Mean(Task):
    """The mean of one number a sample."""

    name = "mean"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("value", primary=True, unit="points"),)

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {"value": np.array(prediction, np.float64)}

    def reduce(self, statistics: Sequence[Mapping[str, Any]], weights: Any = None) -> dict[str, Any]:
        values = np.array([one["value"] for one in statistics], np.float64)
        drawn = np.ones((1, len(values))) if weights is None else weights
        return {"value": drawn @ values / drawn.sum(axis=1)}


def drawn(values: np.ndarray, resamples: int = 1000) -> Replicates:
    task = Mean()
    return replicates(task, [task.score(v, None) for v in values], [str(n) for n in range(len(values))], resamples)


def a_cell(level: float | None, bpp: float, value: float = 0.5, **facts: Any) -> ResultCell:
    told = {"level": level, "level_name": "quality", "bpp": bpp, "source_bpp": None, "kbps": None, "samples": 10}
    told |= {"psnr": 30.0, "bytes": None, "experiment": f"e{level}", "codec": "jpeg" if level else "none"}
    told |= {"training": "pretrained", "codec_options": "{}", "frame_pixels": None}
    return ResultCell({**told, **facts}, {"value": MeasuredMetric(Estimate(value), True, True)})


def pair(seed: int, drop: float, count: int = 200, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Uncompressed and compressed scores of samples, whose true drop is known; strongly paired."""
    rng = np.random.default_rng(seed)
    base = rng.normal(1.0, 0.5, count)
    return base, base - drop + rng.normal(0, noise, count)
