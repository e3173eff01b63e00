"""Compute object keypoint similarity (OKS), and match the found persons of one frame by it.

COCO's definition: https://cocodataset.org/#keypoints-eval and `COCOeval.computeOks` of pycocotools 2.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SampleError
from harness_tasks.ranking import in_range, match, pack, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.pose.types import Persons, Poses

__all__ = ["AREAS", "MAX_PERSONS", "SIGMAS", "frame_statistics", "similarities"]

AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's size ranges for persons in square pixels, both ends included. There is no range for small persons."""
MAX_PERSONS = 20
"""The largest number of found persons per frame that COCO's metrics use."""
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""Standard deviation of human annotations of each key point, relative to the square root of the person's area."""

_LIMITS = np.array(list(AREAS.values()))
_VARIANCES = (2 * SIGMAS) ** 2


def frame_statistics(prediction: Poses, target: Persons) -> dict[str, NDArray[Any]]:
    """Return the statistics of one frame with N found persons (the 20 most confident at most) and M annotated persons.

    Returns:
        score: float32[N].
        hit: uint8[N, 4], packed bits (`ranking.unpack`, three ranges): whether it is a true positive, by size range and
            OKS threshold.
        void: uint8[N, 4], packed bits: whether it counts neither as true nor as false (it matches a crowd or a person
            without labelled key points, or belongs to another size range).
        oks: uint8[N], largest OKS with an annotated person that counts, in 1/200.
        person: uint16[N], the index of that annotated person; 0 where `oks` is 0.
        person_flags: uint8[M], bit 0: does not count (a crowd, or no labelled key points); bit 1: medium; bit 2: large.
        person_area: float32[M], square pixels.
        person_labelled: uint8[M], number of labelled key points.
        person_found: uint16[M], bit t: matched at the t-th threshold (of any size).
        person_oks: uint8[M], largest OKS with a found person, in 1/200.

    Raises:
        SampleError: the model returned scores or key points that are not finite.
    """
    if not (np.isfinite(prediction.scores).all() and np.isfinite(prediction.keypoints).all()):
        raise SampleError("the model gave persons with scores or key points that are not finite numbers.")
    order = np.argsort(-prediction.scores, kind="stable")[:MAX_PERSONS]
    keypoints = prediction.keypoints[order].astype(np.float64)
    oks = similarities(keypoints, target)
    labelled = (target.keypoints[:, :, 2] > 0).sum(axis=1)
    void = target.crowd | (labelled == 0)
    sizes = in_range(target.area, _LIMITS)
    corners = keypoints[:, :, :2]
    spans = corners.max(axis=1) - corners.min(axis=1) if len(keypoints) else np.zeros((0, 2))
    inside = in_range(spans[:, 0] * spans[:, 1], _LIMITS)
    ignored = void[:, None] | ~sizes
    hits, voids, matched = match(oks, ignored, target.crowd, inside, np.arange(len(order)), MAX_PERSONS)
    countable = np.where(void, 0.0, oks)
    best = countable.argmax(axis=1) if countable.shape[1] else np.zeros(len(order), np.int64)
    return {
        "score": prediction.scores[order].astype(np.float32),
        "hit": pack(hits, len(AREAS)),
        "void": pack(voids, len(AREAS)),
        "oks": steps(countable.max(axis=1, initial=0.0)),
        "person": best.astype(np.uint16),
        "person_flags": (void | (sizes[:, 1:] @ np.array([2, 4]))).astype(np.uint8),
        "person_area": target.area.astype(np.float32),
        "person_labelled": labelled.astype(np.uint8),
        "person_found": np.array(matched, np.uint16),
        "person_oks": steps(countable.max(axis=0, initial=0.0)),
    }


def similarities(found: NDArray[np.float64], target: Persons) -> NDArray[np.float64]:
    """Return the OKS of each found person, float64[N, 17, 3 or 2], with each annotated person: float64[N, M].

    OKS is the mean of exp(-d^2 / (2 area (2 sigma)^2)) over the labelled key points, where d is the distance. For an
    annotated person without labelled key points, d is the distance of the found key points to a box around the person,
    three times as wide and as high as the person's box.
    """
    labelled: NDArray[np.bool_] = target.keypoints[:, :, 2] > 0
    offsets = found[:, None, :, :2] - target.keypoints[None, :, :, :2]
    unlabelled: NDArray[np.bool_] = np.logical_not(labelled.any(axis=1))
    if unlabelled.any():
        low, high = target.boxes[unlabelled, :2], target.boxes[unlabelled, 2:]
        size = high - low
        places = found[:, None, :, :2]
        before = np.maximum(0.0, (low - size)[None, :, None] - places)
        after = np.maximum(0.0, places - (low + 2 * size)[None, :, None])
        offsets[:, unlabelled] = before + after
    error = (offsets**2).sum(axis=-1) / _VARIANCES / (target.area + np.spacing(1))[None, :, None] / 2
    counted: NDArray[np.bool_] = np.logical_or(labelled, unlabelled[:, None])
    mean: NDArray[np.float64] = np.where(counted, np.exp(-error), 0.0).sum(axis=-1) / counted.sum(axis=-1)
    return mean
