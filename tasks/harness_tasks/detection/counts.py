"""How much a detector finds, how sure it is, and whether it names what it finds: what lies behind a change of AP."""

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
    """The metrics `COUNTS`, float64[R] each, of R weighted sets of N frames (`weights` float64[R, N]).

    Args:
        statistics: as `frame_statistics` gives them.
        weights: how often each frame counts.
        confidence: from which score a detection counts; `confidence` alone looks at all that are true.
    """
    totals = weights @ np.array([_totals(frame, confidence) for frame in statistics])
    sure, true, scores, near, right = totals.T
    return {
        "detections": ratio(sure, weights.sum(axis=1)),
        "confidence": ratio(scores, true),
        "label_accuracy": ratio(right, near),
    }


def _totals(frame: Statistics, confidence: float) -> tuple[float, float, float, float, float]:
    score = frame["score"].astype(np.float64)
    sure = score >= confidence
    true = unpack(frame["hit"])[:, 0, 0]
    near = sure & (frame["any"] >= _HALF)
    right = frame["object_label"][frame["object"][near]] == frame["label"][near]
    return float(sure.sum()), float(true.sum()), float(score[true].sum()), float(near.sum()), float(right.sum())
