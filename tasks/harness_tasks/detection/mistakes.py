"""Count a detector's mistakes by kind, among the detections with a sufficient confidence.

The kinds are those of TIDE (Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object Detection
Errors", ECCV 2020, section 2.2), with its thresholds: an overlap of at least 0.5 is a match, and one of at most 0.1 is
background. TIDE weights each kind by the AP that correcting it would gain; here mistakes are only counted. Overlaps are
stored in 1/200.
"""

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

__all__ = ["MISTAKES", "mistake_metrics"]

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


def mistake_metrics(
    statistics: Sequence[Statistics], weights: NDArray[np.float64], confidence: float
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `MISTAKES`, each float64[R], of R weighted sets of N frames.

    Args:
        statistics: results of `frame_statistics`.
        weights: float64[R, N], the weight of each frame in each set.
        confidence: the smallest score of a detection that counts.
    """
    counts = np.array([_mistakes(frame, confidence) for frame in statistics], np.float64)
    means = ratio(weights @ counts, weights.sum(axis=1)[:, None])
    return {metric.name: means[:, place] for place, metric in enumerate(MISTAKES)}


def _mistakes(frame: Statistics, confidence: float) -> tuple[int, ...]:
    """Return the number of mistakes of each kind in a frame, in the order of `MISTAKES`.

    A false detection counts only for the first kind that fits.
    """
    confident = frame["score"] >= confidence
    hit, void = (unpack(frame[name])[:, 0, 0] for name in ("hit", "void"))
    positives = int((frame["object_flags"] & 3 == 0).sum())
    missed = positives - int((confident & hit).sum())
    false = confident & ~hit & ~void
    own, nearest, label = (frame[name][false] for name in ("own", "any", "label"))
    other_class = frame["object_label"][frame["object"][false]] != label if len(frame["object_label"]) else own < own
    rest = np.ones(len(own), np.bool_)
    kinds = []
    for fits in ((own > _TENTH) & (own < _HALF), other_class & (nearest >= _HALF), own >= _HALF, nearest <= _TENTH):
        kinds.append(int((rest & fits).sum()))
        rest &= ~fits
    return missed, *kinds, int(rest.sum())
