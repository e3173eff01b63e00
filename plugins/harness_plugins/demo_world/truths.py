"""Convert a scene's ground truth to the targets of each task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world.actions import ACTIONS
from harness_plugins.demo_world.classes import CLASSES, SEGMENTS

_SKY = 999.0
"""Pixels at this depth in metres or farther are sky."""


def class_names(task: str) -> tuple[str, ...]:
    """Return the class names of a task's targets; none for depth and pose."""
    return {"detection": CLASSES, "segmentation": SEGMENTS, "action": ACTIONS}.get(task, ())


def target(task: str, scene: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Return a task's target from the arrays of a `Scene`.

    Detection: `Boxes`. Segmentation: uint8[192, 256], class numbers. Depth: float32[192, 256] in metres, missing for
    the sky. Pose: `Persons`; the area of a person is the number of visible pixels, as in COCO.
    """
    if task == "segmentation":
        return scene["classes"]
    if task == "depth":
        from harness_tasks.depth.types import MISSING

        return np.where(scene["depth"] < _SKY, scene["depth"], np.float32(MISSING))
    if task == "pose":
        return _persons(scene)
    from harness_tasks.detection.types import Boxes

    return Boxes.of(scene["boxes"], scene["labels"])


def _persons(scene: Mapping[str, npt.NDArray[Any]]) -> Any:
    from harness_tasks.pose.types import Persons

    persons = scene["labels"] == CLASSES.index("person")
    keypoints = scene["keypoints"][persons].astype(np.float64)
    keypoints[..., :2] -= 0.5 * (keypoints[..., 2:] > 0)  # from pixel-corner to pixel-centre coordinates
    return Persons(
        keypoints=keypoints,
        boxes=scene["boxes"][persons].astype(np.float64),
        area=scene["areas"][persons].astype(np.float64),
        crowd=np.zeros(int(persons.sum()), dtype=np.bool_),
    )
