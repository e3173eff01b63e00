"""Count metrics that help to explain a change of AP: number of detections, their confidence, and label accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.task import Metric
from harness_tasks.detection.matching import unpack
from harness_tasks.ranking import STEPS
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["COUNTS", "count_metrics"]

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


def count_metrics(
    statistics: Sequence[Statistics], weights: NDArray[np.float64], confidence: float
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `COUNTS`, each float64[R], of R weighted sets of N frames.

    Args:
        statistics: results of `frame_statistics`.
        weights: float64[R, N], the weight of each frame in each set.
        confidence: the smallest score of a detection that counts. The metric `confidence` uses all true detections.
    """
    totals = weights @ np.array([_totals(frame, confidence) for frame in statistics])
    confident, true, scores, overlapping, correct = totals.T
    return {
        "detections": ratio(confident, weights.sum(axis=1)),
        "confidence": ratio(scores, true),
        "label_accuracy": ratio(correct, overlapping),
    }


def _totals(frame: Statistics, confidence: float) -> tuple[float, float, float, float, float]:
    """Return a frame's sums: confident detections; true detections and the sum of their scores; confident detections
    that overlap any object by half, and those of them with the right class."""
    score = frame["score"].astype(np.float64)
    confident = score >= confidence
    true = unpack(frame["hit"])[:, 0, 0]
    overlapping = confident & (frame["any"] >= _HALF)
    correct = frame["object_label"][frame["object"][overlapping]] == frame["label"][overlapping]
    return (
        float(confident.sum()),
        float(true.sum()),
        float(score[true].sum()),
        float(overlapping.sum()),
        float(correct.sum()),
    )
