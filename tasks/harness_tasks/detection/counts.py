"""Count metrics that help to explain a change of AP: number of detections, their confidence, and label accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.task import Metric
from harness_tasks.ranking import STEPS
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.joined import JoinedFrames

__all__ = ["COUNTS", "count_metrics", "count_totals"]

COUNTS = (
    Metric("detections", unit="an image", description="detections of at least the option confidence, in an image"),
    Metric("confidence", description="mean score of the true detections at overlap 0.5, whatever their score"),
    Metric(
        "label_accuracy",
        description="of the detections of at least the option confidence that overlap any object by half, the share "
        "with the class of the object they overlap most",
    ),
)
_HALF = STEPS // 2


def count_metrics(totals: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `COUNTS`, each float64[R], of R weighted sets of N frames.

    Args:
        totals: the result of `count_totals`.
        weights: float64[R, N], the weight of each frame in each set.
    """
    confident, true, scores, overlapping, correct = (weights @ totals).T
    return {
        "detections": ratio(confident, weights.sum(axis=1)),
        "confidence": ratio(scores, true),
        "label_accuracy": ratio(correct, overlapping),
    }


def count_totals(frames: JoinedFrames, confidence: float) -> NDArray[np.float64]:
    """Return float64[N, 5], sums over each of N frames.

    These are the confident detections; the true detections and the sum of their scores; the confident detections that
    overlap any object by half, and those of them with the right class.

    Args:
        frames: the frames' statistics.
        confidence: the smallest score of a detection that counts. The true detections are those of any score.
    """
    score = frames.column("score").astype(np.float64)
    confident, true = score >= confidence, frames.first("hit")
    overlapping = confident & (frames.column("any") >= _HALF)
    count = frames.per_frame(true)
    of_true = score[true]
    ends = np.cumsum(count).tolist()
    scores = [of_true[start:end].sum() for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    correct = overlapping & (frames.nearest_label == frames.column("label"))
    return np.column_stack(
        [frames.per_frame(confident), count, scores, frames.per_frame(overlapping), frames.per_frame(correct)]
    ).astype(np.float64)
