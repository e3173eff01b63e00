"""Compute recall and precision of many weighted sets of frames from the frames' statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.average_precision import average_precision, curves, interpolated
from harness_tasks.pose.oks import AREAS
from harness_tasks.ranking import THRESHOLDS, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["recalls_and_precisions"]

_BLOCK = 1 << 17
"""Number of weights that are processed at once: 1 MiB, so that intermediate results stay in the CPU cache."""
_COCO = interpolated(101)


def recalls_and_precisions(
    statistics: Sequence[Statistics], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AP and the largest recall of R weighted sets, by size range and OKS threshold.

    `weights` is float64[R, N], the weight of each of the N frames in each set.

    Returns:
        float64[R, 3, 10] each: AP first. NaN where there is no person of the size.
    """
    score = np.concatenate([frame["score"] for frame in statistics])
    frame_of = np.repeat(np.arange(len(statistics)), [len(frame["score"]) for frame in statistics])
    order = np.argsort(-score, kind="stable")
    hit, void = (
        unpack(np.concatenate([frame[key] for frame in statistics]), len(AREAS))[order] for key in ("hit", "void")
    )
    person_frame, kept = frame_of[order], ~void
    persons = np.stack([_persons(frame["person_flags"]) for frame in statistics])
    shapes = [curves(hit[:, size], kept[:, size]) for size in range(len(AREAS))]
    precision = np.empty((len(weights), len(AREAS), len(THRESHOLDS)))
    recall = np.empty_like(precision)
    step = max(1, _BLOCK // max(1, len(order)))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        positives = weights[part] @ persons
        person_weights = weights[part].take(person_frame, axis=1)
        for size, shape in enumerate(shapes):
            precision[part, size] = average_precision(person_weights, shape, positives[:, size], (_COCO,))[:, :, 0]
        reached = np.einsum("rn,nst->rst", person_weights, hit.astype(np.float64), optimize=True)
        recall[part] = reached / np.where(positives > 0, positives, np.nan)[:, :, None]
    return precision, recall


def _persons(flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return float64[3]: the number of persons that count, of any size, medium, and large."""
    counts = flags & 1 == 0
    return np.array([counts.sum(), (counts & (flags & 2 > 0)).sum(), (counts & (flags & 4 > 0)).sum()], np.float64)
