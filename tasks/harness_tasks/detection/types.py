"""The types of predictions and targets in object detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Boxes", "Detections"]


@dataclass(frozen=True)
class Detections:
    """The detections in one frame, in any order.

    Args:
        boxes: float32[N, 4] or float64[N, 4], x1, y1, x2, y2 in pixels of the source frame; x2 and y2 are exclusive (a
            box over the whole of a 640x480 frame is 0, 0, 640, 480). A box may be empty (x2 = x1), and may reach beyond
            the frame, but not lie wholly outside. They are scored in float64. Rounding float64 to float32 costs up to
            5e-4 AP, where overlaps lie just at a threshold.
        scores: float32[N] or float64[N], 0-1.
        labels: int64[N] (or other integers), indices into the model's classes.
    """

    boxes: NDArray[np.float32] | NDArray[np.float64]
    scores: NDArray[np.float32] | NDArray[np.float64]
    labels: NDArray[np.int64]

    def check(self, size: tuple[int, int], classes: int) -> None:
        """Check the detections in a frame of a height and a width (`size`), of a model with so many classes.

        Raises:
            ContentError: a field has another type, shape or dtype than above, or a value that it cannot have.
        """
        from harness_tasks import checks

        checks.check_array("boxes", self.boxes, "real", ("N", 4))
        checks.check_array("scores", self.scores, "real", ("N",))
        checks.check_array("labels", self.labels, "whole", ("N",))
        counts = {"boxes": len(self.boxes), "scores": len(self.scores), "labels": len(self.labels)}
        checks.check_counts(counts, "detections")
        checks.check_labels("labels", self.labels, classes)
        checks.check_range("scores", self.scores, 0, 1)
        checks.check_boxes("boxes", self.boxes)
        checks.check_inside("boxes", self.boxes[:, :2], self.boxes[:, 2:], size)


@dataclass(frozen=True)
class Boxes:
    """The annotated objects in one frame.

    Args:
        boxes: float64[M, 4], x1, y1, x2, y2 in pixels; x2 and y2 are exclusive. A box may be empty, and may reach
            beyond the frame, as in COCO's annotations.
        labels: int64[M], indices into the dataset's classes.
        crowd: bool[M], COCO's iscrowd: the box holds a crowd. Detections in it are neither true nor false.
        difficult: bool[M], VOC's difficult flag.
        area: float64[M], the object's area in square pixels, which decides its size range. In COCO it is the mask's
            area, otherwise the box's.
    """

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    area: NDArray[np.float64]

    def check(self, classes: int) -> None:
        """Check the objects of a dataset with so many classes.

        Raises:
            ContentError: a field has another type, shape or dtype than above, or a value that it cannot have.
        """
        from harness_tasks import checks

        checks.check_array("boxes", self.boxes, "real", ("M", 4))
        checks.check_array("labels", self.labels, "whole", ("M",))
        checks.check_array("crowd", self.crowd, "bool", ("M",))
        checks.check_array("difficult", self.difficult, "bool", ("M",))
        checks.check_array("area", self.area, "real", ("M",))
        counts = {name: len(getattr(self, name)) for name in ("boxes", "labels", "crowd", "difficult", "area")}
        checks.check_counts(counts, "objects")
        checks.check_labels("labels", self.labels, classes)
        checks.check_boxes("boxes", self.boxes)
        checks.check_range("area", self.area, 0, checks.LARGEST_AREA)

    @classmethod
    def of(cls, boxes: Any, labels: Any, crowd: Any = None, difficult: Any = None, area: Any = None) -> Boxes:
        """Create boxes from array-like values.

        By default no object is a crowd or difficult, and the area is the box's.
        """
        import numpy as np

        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        count = len(corners)
        flat = np.zeros(count, np.bool_)
        sides = corners[:, 2:] - corners[:, :2]
        return cls(
            corners,
            np.asarray(labels, np.int64).reshape(count),
            flat if crowd is None else np.asarray(crowd, np.bool_).reshape(count),
            flat if difficult is None else np.asarray(difficult, np.bool_).reshape(count),
            sides[:, 0] * sides[:, 1] if area is None else np.asarray(area, np.float64).reshape(count),
        )
