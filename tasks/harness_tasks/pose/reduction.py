"""Compute recall, precision and counts of many weighted sets of frames from the frames' statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.average_precision import AveragePrecision, interpolated
from harness_tasks.pose.oks import AREAS
from harness_tasks.precision_recall import curves, joined
from harness_tasks.ranking import STEPS, THRESHOLDS, unpack
from harness_tasks.weight_sums import ListSums, by_frame, list_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["FoundPersons", "found_persons", "recalls_and_precisions"]

_COCO = interpolated(101)


@dataclass(frozen=True)
class FoundPersons:
    """The persons in N frames, prepared for `recalls_and_precisions`.

    Args:
        precision: computes the AP of each size range.
        positives: sums up the annotated persons that count, by size range.
        reached: sums up the found persons who are true, by size range and OKS threshold.
        counts: float64[N, 6], sums over each frame: found persons of at least the confidence, the false ones of them,
            annotated persons that none of them matches, the mislocated ones; true persons of any score, and the sum of
            their scores.
    """

    precision: AveragePrecision
    positives: ListSums
    reached: ListSums
    counts: NDArray[np.float64]


def found_persons(statistics: Sequence[Statistics], confidence: float) -> FoundPersons:
    """Prepare the statistics of the frames, at least one, in dataset order.

    Args:
        statistics: results of `frame_statistics`.
        confidence: the smallest score of a found person who counts.
    """
    score, hits, voids, oks = (
        np.concatenate([frame[name] for frame in statistics]) for name in ("score", "hit", "void", "oks")
    )
    frame_of = np.repeat(np.arange(len(statistics)), [len(frame["score"]) for frame in statistics])
    hit, void = unpack(hits, len(AREAS)), unpack(voids, len(AREAS))
    order = np.argsort(-score, kind="stable")
    frame, one_list = frame_of[order], np.zeros(len(order), np.intp)
    by_size = [curves(frame, one_list, hit[order, size], ~void[order, size], 1) for size in range(len(AREAS))]
    matched = np.flatnonzero(hit.any(axis=(1, 2)))
    persons = _persons(statistics)
    sure, true, false = score >= confidence, hit[:, 0, 0], ~hit[:, 0, 0] & ~void[:, 0, 0]
    near = (oks > STEPS // 10) & (oks < STEPS // 2)
    sure_count, sure_false, sure_true, mislocated, trues = (
        np.bincount(frame_of[chosen], minlength=len(statistics))
        for chosen in (sure, sure & false, sure & true, sure & false & near, true)
    )
    ends, of_true = np.cumsum(trues).tolist(), score[true].astype(np.float64)
    scores = [of_true[start:end].sum() for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    missed = persons[:, 0] - sure_true
    return FoundPersons(
        precision=AveragePrecision(joined(by_size), [(_COCO,)] * len(THRESHOLDS)),
        positives=list_sums(np.arange(len(persons)), np.zeros(len(persons), np.intp), persons, 1),
        reached=list_sums(
            frame_of[matched], one_list[: len(matched)], hit[matched].reshape(-1, len(AREAS) * len(THRESHOLDS)), 1
        ),
        counts=np.column_stack([sure_count, sure_false, missed, mislocated, trues, scores]).astype(np.float64),
    )


def recalls_and_precisions(
    found: FoundPersons, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AP and the largest recall of R weighted sets, by size range and OKS threshold.

    `weights` is float64[R, N], the weight of each of the N frames in each set.

    Returns:
        float64[R, 3, 10] each: AP first. NaN where there is no person of the size.
    """
    rows = by_frame(weights, max(found.precision.terms, found.positives.terms, found.reached.terms))
    positives = found.positives(rows)[:, 0]
    precision = found.precision(rows, positives)
    recall = found.reached(rows).reshape(precision.shape) / np.where(positives > 0, positives, np.nan)[:, None]
    return np.ascontiguousarray(np.moveaxis(precision, 2, 0)), np.ascontiguousarray(np.moveaxis(recall, 2, 0))


def _persons(statistics: Sequence[Statistics]) -> NDArray[np.intp]:
    """Return int64[N, 3]: the number of persons that count in each frame, of any size, medium, and large."""
    flags = np.concatenate([frame["person_flags"] for frame in statistics])
    frame_of = np.repeat(np.arange(len(statistics)), [len(frame["person_flags"]) for frame in statistics])
    counted = flags & 1 == 0
    chosen = (counted, counted & (flags & 2 > 0), counted & (flags & 4 > 0))
    return np.column_stack([np.bincount(frame_of[some], minlength=len(statistics)) for some in chosen])
