"""The types of predictions and targets in pose estimation.

Key points are in pixels with COCO's convention: (0, 0) is the centre of the first pixel, and mirroring maps x to
W - 1 - x. Boxes have the convention of the whole harness: (0, 0) is the corner of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["KEYPOINTS", "Persons", "Poses"]

KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""COCO's key points, in its order."""


@dataclass(frozen=True)
class Poses:
    """The persons found in one frame, in any order.

    Args:
        keypoints: float32[N, 17, 3], x and y in pixels of the source frame and the key point's confidence, 0 to 1; 0,
            0, 0 for a key point that was not found, as in COCO's result files.
        scores: float32[N], the persons' scores, 0 to 1.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Persons:
    """The annotated persons of one frame.

    Args:
        keypoints: float64[M, 17, 3], x and y in pixels and COCO's visibility: 0 not labelled (x and y are 0), 1
            hidden, 2 visible.
        boxes: float64[M, 4], x1, y1, x2, y2 in pixels; x2 and y2 are exclusive.
        area: float64[M], the person's area in square pixels, for OKS and the size ranges (in COCO the mask's area).
        crowd: bool[M], COCO's iscrowd.
    """

    keypoints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
