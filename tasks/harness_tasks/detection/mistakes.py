"""Count a detector's mistakes by kind, among the detections with a sufficient confidence.

The kinds are those of TIDE (Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object Detection
Errors", ECCV 2020, section 2.2), with its thresholds: an overlap of at least 0.5 is a match, and one of at most 0.1 is
background. TIDE weights each kind by the AP that correcting it would gain; here mistakes are only counted. Overlaps are
stored in 1/200.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.task import Metric
from harness_tasks.ranking import STEPS
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.joined import JoinedFrames

__all__ = ["MISTAKES", "mistake_metrics", "mistake_totals"]

_TIDE = "an image; TIDE's kinds"
MISTAKES = (
    Metric("missed", False, unit="an image", description=f"objects that no counted detection matches, {_TIDE}"),
    Metric("mislocated", False, unit="an image", description=f"the class is right, the overlap .1 to .5, {_TIDE}"),
    Metric("misclassified", False, unit="an image", description=f"an object of another class is overlapped, {_TIDE}"),
    Metric("duplicated", False, unit="an image", description=f"a surer detection has the object, {_TIDE}"),
    Metric("background", False, unit="an image", description=f"no object is overlapped by more than .1, {_TIDE}"),
    Metric("confused", False, unit="an image", description=f"another class at an overlap of .1 to .5, {_TIDE}"),
)
_HALF, _TENTH = STEPS // 2, STEPS // 10


def mistake_metrics(totals: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `MISTAKES`, each float64[R], of R weighted sets of N frames.

    Args:
        totals: the result of `mistake_totals`.
        weights: float64[R, N], the weight of each frame in each set.
    """
    means = ratio(weights @ totals, weights.sum(axis=1)[:, None])
    return {metric.name: means[:, place] for place, metric in enumerate(MISTAKES)}


def mistake_totals(frames: JoinedFrames, confidence: float) -> NDArray[np.float64]:
    """Return float64[N, 6], the number of mistakes of each kind in each of N frames, in the order of `MISTAKES`.

    A false detection counts only for the first kind that fits.

    Args:
        frames: the frames' statistics.
        confidence: the smallest score of a detection that counts.
    """
    hit, void = frames.first("hit"), frames.first("void")
    confident = frames.column("score") >= confidence
    rest = confident & ~hit & ~void
    own, nearest = frames.column("own"), frames.column("any")
    other_class = frames.has_objects & (frames.nearest_label != frames.column("label"))
    kinds = [frames.positives - frames.per_frame(confident & hit)]
    for fits in ((own > _TENTH) & (own < _HALF), other_class & (nearest >= _HALF), own >= _HALF, nearest <= _TENTH):
        kinds.append(frames.per_frame(rest & fits))
        rest = rest & ~fits
    return np.column_stack([*kinds, frames.per_frame(rest)]).astype(np.float64)
