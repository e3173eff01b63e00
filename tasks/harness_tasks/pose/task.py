"""The task human pose estimation: key points of persons, measured by average precision over object keypoint
similarity."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.options import Option
from harness.task import Metric, Task
from harness_tasks.checks import check_type
from harness_tasks.pose.oks import AREAS, frame_statistics
from harness_tasks.pose.reduction import found_persons, recalls_and_precisions
from harness_tasks.pose.types import Persons, Poses
from harness_tasks.predictions import write_poses
from harness_tasks.ranking import STEPS, THRESHOLDS
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.dataset import KeptFrame
    from harness.task import Reducer, Statistics

__all__ = ["Pose"]

_COCO = "COCO key points (pycocotools 2.0)"
_METRICS = (
    Metric("AP", primary=True, description=f"mean AP at OKS .50:.05:.95, 101 recalls, {_COCO}"),
    Metric("AP50", description=f"AP at OKS 0.5, {_COCO}"),
    Metric("AP75", description=f"AP at OKS 0.75, {_COCO}"),
    Metric("AP_medium", description=f"AP of persons from 32x32 to 96x96 pixels, {_COCO}"),
    Metric("AP_large", description=f"AP of persons from 96x96 pixels, {_COCO}"),
    Metric("AR", description=f"recall at OKS .50:.05:.95, 20 persons a frame, {_COCO}"),
    Metric("AR50", description=f"recall at OKS 0.5, {_COCO}"),
    Metric("AR75", description=f"recall at OKS 0.75, {_COCO}"),
    Metric("AR_medium", description=f"recall of persons from 32x32 to 96x96 pixels, {_COCO}"),
    Metric("AR_large", description=f"recall of persons from 96x96 pixels, {_COCO}"),
    Metric("persons", unit="an image", description="found persons of at least the option confidence, in an image"),
    Metric("false_persons", False, unit="an image", description="of these, those who match nobody at OKS 0.5"),
    Metric("missed_persons", False, unit="an image", description="persons whom none of these matches at OKS 0.5"),
    Metric("mislocated_persons", False, unit="an image", description="false persons at an OKS of .1 to .5 of somebody"),
    Metric("confidence", description="mean score of the found persons who are true at OKS 0.5, whatever their score"),
)
_COUNTS = ("persons", "false_persons", "missed_persons", "mislocated_persons")
_AREA_OF_BOX = 0.53


class Pose(Task):
    """Key points of persons, with COCO's metrics. They equal pycocotools' `COCOeval(iouType="keypoints")` to 1e-9.

    Crowds and persons without labelled key points are ignored: they do not count as missed, and a person found there
    does not count as false. A metric without any person of its kind is undefined (NaN).
    """

    name = "pose"
    summary = "human pose (COCO average precision over object keypoint similarity)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    sample_metric: ClassVar[Metric] = Metric("OKS", description="mean over the persons of that of the nearest found")
    predictions_as = ".json"
    suspects = (
        "the order of the key points, the normalisation of the pixels (mean and deviation, 0-1 or 0-255), the order of "
        "the colours (RGB or BGR), or the weights (of another network or data set)"
    )
    tells = ("boxes",)
    options = (
        Option(
            "confidence",
            float,
            0.25,
            "from which score a found person is one: in counts, in drawings, and as reference",
            minimum=0.0,
            maximum=1.0,
        ),
        Option(
            "visible",
            float,
            0.1,
            "from which confidence a found key point is visible, in drawings and as reference",
            minimum=0.0,
            maximum=1.0,
        ),
    )

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check the persons found in one frame (`Poses.check`)."""
        check_type(prediction, Poses).check(size)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check the annotated persons of one frame (`Persons.check`)."""
        check_type(target, Persons).check()

    def hint(self, name: str, target: Persons) -> NDArray[np.float64]:
        """Return the boxes of the persons, those of crowds left out: float64[N, 5], x1, y1, x2, y2, and 1."""
        boxes = target.boxes[~target.crowd]
        return np.concatenate([boxes, np.ones((len(boxes), 1))], axis=1)

    def score(self, prediction: Poses, target: Persons) -> Statistics:
        """Return the matches of the found and the annotated persons in one frame (see `frame_statistics`)."""
        return frame_statistics(prediction, target)

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], of R weighted sets of N frames.

        The frames must be in dataset order, because it decides between persons of equal score.
        """
        return self.reducer(statistics)(weights)

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return `reduce` for these frames, prepared for several calls; it computes all metrics."""
        found = found_persons(statistics, self.option("confidence")) if statistics else None
        middle = int(np.searchsorted(THRESHOLDS, 0.75 - 1e-9))

        def reduce(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
            set_weights = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
            if found is None:
                return {metric.name: np.full(len(set_weights), np.nan) for metric in _METRICS}
            precision, recall = recalls_and_precisions(found, set_weights)
            values: dict[str, NDArray[np.float64]] = {}
            for name, values_of in (("AP", precision), ("AR", recall)):
                values |= {
                    name: values_of[:, 0].mean(axis=1),
                    f"{name}50": values_of[:, 0, 0],
                    f"{name}75": values_of[:, 0, middle],
                }
                values |= {f"{name}_{size}": values_of[:, i].mean(axis=1) for i, size in enumerate(AREAS) if i}
            *numbers, true, scores = (set_weights @ found.counts).T
            values |= dict(zip(_COUNTS, (number / set_weights.sum(axis=1) for number in numbers), strict=True))
            return values | {"confidence": ratio(scores, true)}

        return reduce

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """Return groups of metrics for reports: AP per person size, kinds of mistakes, and confidence."""
        sizes = tuple(f"AP_{size}" for size in AREAS if size != "all")
        return {"person sizes": sizes, "mistakes": _COUNTS[1:], "confidence": ("confidence",)}

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return the mean OKS of the sample's annotated persons, each with the most similar found person; None without
        persons."""
        per_frame = [frame["person_oks"][frame["person_flags"] & 1 == 0] for frame in statistics]
        best = np.concatenate(per_frame) if per_frame else np.zeros(0)
        return float(best.mean()) / STEPS if len(best) else None

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[Any]) -> float | None:
        """Return 0.01: the persons of another image stay below this AP (tests)."""
        return 0.01

    def as_target(self, prediction: Poses) -> Persons:
        """Convert found persons with a score of at least the option `confidence` to annotated persons.

        Key points with a confidence below the option `visible` become unlabelled. The box is the one around the
        labelled key points. The area is 0.53 of the box's area, as is usual without masks (xtcocotools,
        `use_area=False`).
        """
        keypoints = prediction.keypoints[prediction.scores >= self.option("confidence")].astype(np.float64)
        visible = (keypoints[:, :, 2] > 0) & (keypoints[:, :, 2] >= self.option("visible"))
        keypoints, visible = keypoints[visible.any(axis=1)], visible[visible.any(axis=1)]
        positions = keypoints[:, :, :2]
        low = np.where(visible[:, :, None], positions, np.inf).min(axis=1, initial=np.inf)
        high = np.where(visible[:, :, None], positions, -np.inf).max(axis=1, initial=-np.inf)
        boxes = np.concatenate([low, high + 1], axis=1)
        labelled = np.concatenate([positions, np.full((*visible.shape, 1), 2.0)], axis=2) * visible[:, :, None]
        area = _AREA_OF_BOX * np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        return Persons(labelled, boxes, area, np.zeros(len(boxes), np.bool_))

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        write_poses(frames, target)

    def draw(self, image: NDArray[np.uint8], prediction: Poses) -> NDArray[np.uint8]:
        """Draw the skeletons of the persons with a score of at least the option `confidence`."""
        from harness_tasks.pose.drawing import draw_poses

        return draw_poses(image, prediction, self.option("confidence"), self.option("visible"))

    def draw_target(self, image: NDArray[np.uint8], target: Persons) -> NDArray[np.uint8]:
        """Draw the annotated skeletons, including hidden key points. A crowd has no skeleton."""
        from harness_tasks.pose.drawing import draw_persons

        return draw_persons(image, target)

    def enlarged(self, result: Any, times: int) -> Any:
        """Scale found or annotated persons to an image that was enlarged by the factor `times`."""
        keypoints = result.keypoints.copy()
        keypoints[:, :, :2] = (keypoints[:, :, :2] + 0.5) * times - 0.5
        if isinstance(result, Poses):
            return replace(result, keypoints=keypoints)
        return replace(result, keypoints=keypoints, boxes=result.boxes * times, area=result.area * times**2)
