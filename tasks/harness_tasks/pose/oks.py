"""Object keypoint similarity, and what each found person of one frame matched by it.

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
"""COCO's size ranges for persons in square pixels, both ends included; there is none for small ones."""
MAX_PERSONS = 20
"""How many found persons of one frame COCO's metrics look at."""
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""How far annotators differ about each key point, as a share of the square root of the person's area."""

_LIMITS = np.array(list(AREAS.values()))
_VARIANCES = (2 * SIGMAS) ** 2


def frame_statistics(prediction: Poses, target: Persons) -> dict[str, NDArray[Any]]:
    """The statistics of one frame: the N most confident found persons (20 at most, by score) and M annotated ones.

    Returns:
        score: float32[N].
        hit: uint8[N, 4], bits (`ranking.unpack`, three ranges): at (size range, OKS threshold), a true positive.
        void: uint8[N, 4], likewise: neither true nor false (a crowd, a person without labelled key points, another
            size range).
        oks: uint8[N], largest OKS with an annotated person that counts, in 1/200.
        person: uint16[N], that person's index; 0 where `oks` is 0.
        person_flags: uint8[M], bit 0 does not count (a crowd, or no labelled key points), bits 1 and 2 whether it is
            medium, large.
        person_area: float32[M], square pixels.
        person_labelled: uint8[M], how many of its key points are labelled.
        person_found: uint16[M], bit t: matched at the t-th threshold (of any size).
        person_oks: uint8[M], largest OKS with a found person, in 1/200.

    Raises:
        SampleError: the model gave numbers that are none.
    """
    if not (np.isfinite(prediction.scores).all() and np.isfinite(prediction.keypoints).all()):
        raise SampleError("the model gave persons with scores or key points that are not finite numbers.")
    order = np.argsort(-prediction.scores, kind="stable")[:MAX_PERSONS]
    found = prediction.keypoints[order].astype(np.float64)
    oks = similarities(found, target)
    labelled = (target.keypoints[:, :, 2] > 0).sum(axis=1)
    void = target.crowd | (labelled == 0)
    sizes = in_range(target.area, _LIMITS)
    corners = found[:, :, :2]
    spans = corners.max(axis=1) - corners.min(axis=1) if len(found) else np.zeros((0, 2))
    inside = in_range(spans[:, 0] * spans[:, 1], _LIMITS)
    ignored = void[:, None] | ~sizes
    hits, voids, matched = match(oks, ignored, target.crowd, inside, np.arange(len(order)), MAX_PERSONS)
    solid = np.where(void, 0.0, oks)
    best = solid.argmax(axis=1) if solid.shape[1] else np.zeros(len(order), np.int64)
    return {
        "score": prediction.scores[order].astype(np.float32),
        "hit": pack(hits, len(AREAS)),
        "void": pack(voids, len(AREAS)),
        "oks": steps(solid.max(axis=1, initial=0.0)),
        "person": best.astype(np.uint16),
        "person_flags": (void | (sizes[:, 1:] @ np.array([2, 4]))).astype(np.uint8),
        "person_area": target.area.astype(np.float32),
        "person_labelled": labelled.astype(np.uint8),
        "person_found": np.array(matched, np.uint16),
        "person_oks": steps(solid.max(axis=0, initial=0.0)),
    }


def similarities(found: NDArray[np.float64], target: Persons) -> NDArray[np.float64]:
    """OKS of found persons float64[N, 17, 3 or 2] with annotated ones: float64[N, M].

    The mean over the labelled key points of exp(-d^2 / (2 area (2 sigma)^2)). A person without labelled key points
    is as near as its key points are to a box three times as wide and as high around it.
    """
    labelled: NDArray[np.bool_] = target.keypoints[:, :, 2] > 0
    apart = found[:, None, :, :2] - target.keypoints[None, :, :, :2]
    bare: NDArray[np.bool_] = np.logical_not(labelled.any(axis=1))
    if bare.any():
        low, high = target.boxes[bare, :2], target.boxes[bare, 2:]
        size = high - low
        places = found[:, None, :, :2]
        before = np.maximum(0.0, (low - size)[None, :, None] - places)
        after = np.maximum(0.0, places - (low + 2 * size)[None, :, None])
        apart[:, bare] = before + after
    error = (apart**2).sum(axis=-1) / _VARIANCES / (target.area + np.spacing(1))[None, :, None] / 2
    counted: NDArray[np.bool_] = np.logical_or(labelled, bare[:, None])
    mean: NDArray[np.float64] = np.where(counted, np.exp(-error), 0.0).sum(axis=-1) / counted.sum(axis=-1)
    return mean
