"""Made-up persons and what a pose model finds of them, scored by the task: statistics for `coverage_tasks.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import KEYPOINTS, Persons, Poses

__all__ = ["poses"]

Floats = Any
SIDE = 640.0


def poses(rng: np.random.Generator, quality: Floats, world: np.random.Generator) -> list[dict[str, Floats]]:
    """Statistics of frames with one to six persons, of which easy ones are found, well located and sure.

    Args:
        rng: draws what differs between versions: how far each key point is off, and who is found.
        quality: float64[frames], how easy each frame is.
        world: draws what the versions share: persons, sizes, who is hard.
    """
    task, points = Pose(), len(KEYPOINTS)
    found = []
    for ease in quality:
        count = int(world.integers(1, 7))
        size = np.exp(world.normal(4.6, 0.6, count)).clip(40, 300)  # pixels
        middle = world.uniform(0.25 * SIDE, 0.75 * SIDE, (count, 1, 2))
        shape = world.uniform(-0.5, 0.5, (count, points, 2)) * size[:, None, None]
        labelled = world.random((count, points)) < 0.8
        labelled[:, 0] = True
        hard = world.normal(0, 0.7, count)
        true = np.where(labelled[..., None], (middle + shape).clip(0, SIDE - 1), 0.0)
        keypoints = np.concatenate([true, 2.0 * labelled[..., None]], axis=2)
        boxes = np.concatenate([middle[:, 0] - size[:, None] / 2, middle[:, 0] + size[:, None] / 2], axis=1)
        persons = Persons(keypoints, boxes, size**2 * 0.6, np.zeros(count, np.bool_))
        own = 0.8 * ease - hard + rng.normal(0, 0.5, count)
        off = size[:, None, None] * 0.055 * np.exp(-0.5 * own)[:, None, None] * rng.normal(0, 1, shape.shape)
        seen = rng.random(count) < 1 / (1 + np.exp(-(2.0 + own)))
        false = rng.uniform(0.2 * SIDE, 0.8 * SIDE, (int(rng.poisson(0.4)), points, 2))
        places = np.concatenate([(middle + shape + off)[seen], false]).clip(0, SIDE - 1)
        sure = 1 / (
            1 + np.exp(-np.concatenate([1 + own[seen] + rng.normal(0, 0.5, seen.sum()), rng.normal(-1, 1, len(false))]))
        )
        given = np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=2)
        found.append(dict(task.score(Poses(given, sure), persons)))
    return found
