"""OpenPose's 18 body parts and the 19 limbs between them, in the order of the published body model's channels.

The parts are COCO's 17 key points and the neck, halfway between the shoulders: Cao, Simon, Wei, Sheikh, "Realtime
Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.pose.types import KEYPOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COCO_PARTS", "FIELDS", "LIMBS", "MIRRORED", "PARTS", "TREE", "parts_of"]

PARTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
"""The body parts. The network has a confidence map for each part, and a last map for the background."""

LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17)),
)
"""The limbs, as pairs of part numbers, in the order in which persons are assembled."""

TREE = 17
"""The first 17 limbs connect all parts of the body. The last two (shoulder to ear) only add evidence."""

FIELDS = (6, 10, 7, 8, 11, 12, 0, 1, 2, 3, 4, 5, 14, 15, 17, 16, 18, 9, 13)
"""The number f of each limb's part affinity field: x is in channel 2 f, y in channel 2 f + 1."""

COCO_PARTS = tuple(PARTS.index(name) for name in KEYPOINTS)
"""The part number of each of COCO's key points. The neck is not among COCO's key points."""

MIRRORED = tuple(
    KEYPOINTS.index(
        name.replace("left", "right") if name.startswith("left") else name.replace("right", "left"),
    )
    for name in KEYPOINTS
)
"""For each of COCO's key points, the index of the same key point on the other side of the body."""

_NECK = PARTS.index("neck")
_SHOULDERS = [KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("right_shoulder")]


def parts_of(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert COCO's key points float64[N, 17, 3] to parts float64[N, 18, 3]: x, y, and 1 where labelled, else 0.

    The neck is labelled if both shoulders are.
    """
    parts = np.zeros((len(keypoints), len(PARTS), 3))
    parts[:, list(COCO_PARTS)] = keypoints
    shoulders = keypoints[:, _SHOULDERS]
    parts[:, _NECK, :2] = shoulders[:, :, :2].mean(axis=1)
    parts[:, _NECK, 2] = (shoulders[:, :, 2] > 0).all(axis=1)
    parts[:, :, 2] = parts[:, :, 2] > 0
    return parts
