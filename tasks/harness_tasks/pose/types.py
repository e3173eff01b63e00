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
        keypoints: float32[N, 17, 3] or float64[N, 17, 3], x and y in pixels of the source frame and the key point's
            confidence, 0 to 1; 0, 0, 0 for a key point that was not found, as in COCO's result files. Key points may
            lie beyond the frame, but not all of a person's.
        scores: float32[N] or float64[N], the persons' scores, 0 to 1.
    """

    keypoints: NDArray[np.float32] | NDArray[np.float64]
    scores: NDArray[np.float32] | NDArray[np.float64]

    def check(self, size: tuple[int, int]) -> None:
        """Check the persons found in a frame of a height and a width (`size`).

        Raises:
            ContentError: a field has another type, shape or dtype than above, or a value that it cannot have.
        """
        from harness_tasks import checks

        checks.check_array("keypoints", self.keypoints, "real", ("N", len(KEYPOINTS), 3))
        checks.check_array("scores", self.scores, "real", ("N",))
        checks.check_counts({"keypoints": len(self.keypoints), "scores": len(self.scores)}, "persons")
        checks.check_range("scores", self.scores, 0, 1)
        checks.check_finite("keypoints", self.keypoints)
        # The peak of a heat map may lie a little above 1 or below 0.
        checks.check_range("confidence of keypoints", self.keypoints[:, :, 2], 0, 1, slack=0.5)
        # A key point that was not found lies at 0, 0, inside the frame.
        places = self.keypoints[:, :, :2]
        checks.check_inside("keypoints", places.min(axis=1), places.max(axis=1), size)


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

    def check(self) -> None:
        """Check the persons.

        Raises:
            ContentError: a field has another type, shape or dtype than above, or a value that it cannot have.
        """
        from harness_tasks import checks

        checks.check_array("keypoints", self.keypoints, "real", ("M", len(KEYPOINTS), 3))
        checks.check_array("boxes", self.boxes, "real", ("M", 4))
        checks.check_array("area", self.area, "real", ("M",))
        checks.check_array("crowd", self.crowd, "bool", ("M",))
        counts = {name: len(getattr(self, name)) for name in ("keypoints", "boxes", "area", "crowd")}
        checks.check_counts(counts, "persons")
        checks.check_finite("keypoints", self.keypoints)
        checks.check_boxes("boxes", self.boxes)
        checks.check_range("area", self.area, 0, checks.LARGEST_AREA)
