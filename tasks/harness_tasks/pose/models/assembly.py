"""Assemble persons from confidence maps and part affinity fields: the greedy parsing of Cao et al. (CVPR 2017, section
2.3).

Peaks of the confidence maps are candidates for parts. The line integral of the affinity field between two candidates
measures how well a limb joins them (equation 10). For each limb, the best pairs are accepted first, and each candidate
is used once. Limbs that share a part belong to one person.

There are three differences from the published code, which first enlarges all maps to the image's size. First, the maps
keep their size and are read with bilinear interpolation. Second, a peak is located between cells by fitting a Gaussian
to its neighbours. Third, candidates less than about one cell apart are joined by their distance alone, because the
field cannot show a direction between them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.pose.skeleton import FIELDS, LIMBS, PARTS, TREE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Parsing", "assemble", "peaks"]

_SAMPLES = 10
_TINY = 1e-4
_STEPS = np.linspace(0.0, 1.0, _SAMPLES)[:, None]
_FIELDS = np.array(FIELDS)


@dataclass(frozen=True)
class Parsing:
    """The thresholds of the parsing. The defaults are those of the published code.

    Args:
        part: the smallest confidence of a part.
        affinity: the smallest affinity of a sample on a limb.
        share: the share of a limb's samples that must reach `affinity`.
        near: the distance in cells up to which two parts are joined by distance alone.
        most: the largest number of candidates per part; the most confident are kept.
        parts: the smallest number of parts of a person.
        mean: the smallest ratio of the sum of a person's confidences and affinities to its number of parts.
    """

    part: float = 0.1
    affinity: float = 0.05
    share: float = 0.8
    near: float = 1.0
    most: int = 64
    parts: int = 4
    mean: float = 0.4


def assemble(
    confidence: NDArray[np.float32], affinity: NDArray[np.float32], rules: Parsing
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the persons in one image.

    Args:
        confidence: float32[18 or more, h, w], the parts' confidence maps.
        affinity: float32[38, h, w], the limbs' affinity fields.
        rules: the thresholds.

    Returns:
        float64[N, 18, 3], x and y in cells and confidence of each part, all 0 for a part that was not found; and
        float64[N], the sum of each person's confidences and affinities.
    """
    candidates = peaks(confidence[: len(PARTS)], rules)
    part, positions, score = candidates[:, 0].astype(int), candidates[:, 1:3], candidates[:, 3]
    persons = _Persons(score.tolist())
    for limb, pair, value in _joined_pairs(affinity, part, positions, rules):
        persons.add(limb, pair, value)
    kept = [p for p in persons.found() if len(p.parts) >= rules.parts and p.total >= rules.mean * len(p.parts)]
    keypoints = np.zeros((len(kept), len(PARTS), 3))
    for row, person in enumerate(kept):
        for number, candidate in person.parts.items():
            keypoints[row, number] = (*positions[candidate], score[candidate])
    return keypoints, np.array([person.total for person in kept], np.float64)


def peaks(maps: NDArray[np.float32], rules: Parsing) -> NDArray[np.float64]:
    """Return the candidates for parts, float64[n, 4]: part, x, y and confidence, sorted by part.

    x and y are in cells, with fractions.
    """
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    part, row, column = np.nonzero(maps > rules.part)
    centre = maps[part, row, column]
    highest = (centre >= padded[part, row, column + 1]) & (centre > padded[part, row + 2, column + 1])
    highest &= (centre >= padded[part, row + 1, column]) & (centre > padded[part, row + 1, column + 2])
    part, row, column = part[highest], row[highest], column[highest]
    value = maps[part, row, column].astype(np.float64)
    order = np.lexsort((-value, part))
    order = order[np.arange(len(order)) - np.searchsorted(part[order], part[order]) < rules.most]
    part, row, column, value = part[order], row[order], column[order], value[order]
    x = column + _offset(value, padded[part, row + 1, column], padded[part, row + 1, column + 2])
    y = row + _offset(value, padded[part, row, column + 1], padded[part, row + 2, column + 1])
    return np.column_stack([part, x, y, value])


def _offset(value: NDArray[np.float64], before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the position of the peak of the Gaussian through three neighbouring cells, -0.5 to 0.5; 0 at the
    border."""
    edge = ~(np.isfinite(before) & np.isfinite(after))
    centre = np.log(np.maximum(value, _TINY))
    left, right = (np.log(np.maximum(np.where(edge, value, side), _TINY)) for side in (before, after))
    curvature = 2 * centre - left - right
    return np.where(curvature > 1e-9, np.clip(0.5 * (right - left) / np.maximum(curvature, 1e-9), -0.5, 0.5), 0.0)


def _joined_pairs(
    affinity: NDArray[np.float32], part: NDArray[np.intp], positions: NDArray[np.float64], rules: Parsing
) -> Iterator[tuple[int, tuple[int, int], float]]:
    """Yield the pairs of candidates that limbs join: (limb, candidates, affinity).

    The limbs are in their order; of each limb the best pairs come first, and each candidate comes once.

    Args:
        affinity: float32[38, h, w].
        part: int[n], the part of each candidate, ascending.
        positions: float64[n, 2], x and y of each candidate in cells.
        rules: the thresholds.
    """
    limb, first, second = _all_pairs(part)
    if not len(limb):
        return
    origin, direction = positions[first], positions[second] - positions[first]
    length = np.hypot(direction[:, 0], direction[:, 1])
    unit = direction / np.maximum(length, _TINY)[:, None]
    vectors = _interpolated(affinity, _FIELDS[limb], origin[:, None] + _STEPS * direction[:, None])
    along = (vectors * unit[:, None]).sum(axis=-1)
    value = along.mean(axis=-1) + np.minimum(0.5 * affinity.shape[1] / np.maximum(length, _TINY) - 1.0, 0.0)
    joined = ((along > rules.affinity).sum(axis=-1) > rules.share * _SAMPLES) & (value > 0)
    near = length <= rules.near
    strength = np.hypot(vectors[..., 0], vectors[..., 1]).mean(axis=-1)
    value = np.where(near, np.maximum(value, strength), value)
    chosen = np.flatnonzero(joined | near)
    chosen = chosen[np.lexsort((-value[chosen], limb[chosen]))]
    pairs = zip(*(numbers[chosen].tolist() for numbers in (limb, first, second, value)), strict=True)
    used: set[tuple[int, int]] = set()
    for number, start, end, strongest in pairs:
        if (number, start) not in used and (number, end) not in used:
            used |= {(number, start), (number, end)}
            yield number, (start, end), strongest


def _all_pairs(part: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return all pairs of candidates that could be the ends of a limb: limb, first and second candidate, each int[p].

    `part` is int[n], the part of each candidate, ascending.
    """
    begin = np.searchsorted(part, np.arange(len(PARTS) + 1))
    count = np.diff(begin)
    starts, ends = np.array(LIMBS).T
    pairs = count[starts] * count[ends]
    limb = np.repeat(np.arange(len(LIMBS)), pairs)
    place = np.arange(len(limb)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    across = count[ends][limb]
    return limb, begin[starts][limb] + place // across, begin[ends][limb] + place % across


def _interpolated(
    affinity: NDArray[np.float32], field: NDArray[np.intp], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return affinity fields at points, interpolated bilinearly: float64[p, n, 2], x and y.

    Args:
        affinity: float32[38, h, w].
        field: int[p], the number of each field.
        points: float64[p, n, 2], x and y in cells.
    """
    height, width = affinity.shape[1:]
    channels = np.stack([2 * field, 2 * field + 1])[:, :, None]
    x, y = np.clip(points[..., 0], 0, width - 1), np.clip(points[..., 1], 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = x - left, y - top
    upper = affinity[channels, top, left] * (1 - u) + affinity[channels, top, right] * u
    lower = affinity[channels, bottom, left] * (1 - u) + affinity[channels, bottom, right] * u
    return np.moveaxis(upper * (1 - v) + lower * v, 0, -1)


@dataclass
class _Person:
    """An unfinished person: its candidates by part, and the sum of their confidences and affinities."""

    parts: dict[int, int]
    total: float


class _Persons:
    """The unfinished persons of one image. A candidate belongs to one person at most.

    Args:
        scores: the confidence of each candidate.
    """

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = scores
        self._persons: dict[int, _Person] = {}
        self._numbers = itertools.count()
        self._owner: dict[int, int] = {}

    def found(self) -> list[_Person]:
        """Return the persons, the oldest first."""
        return list(self._persons.values())

    def add(self, limb: int, pair: tuple[int, int], value: float) -> None:
        """Add a limb to the person that has one of its ends; join two persons that have one end each; or start a new
        person."""
        ends = dict(zip(LIMBS[limb], pair, strict=True))
        owners = sorted({self._owner[candidate] for candidate in pair if candidate in self._owner})
        if not owners:
            if limb < TREE:
                number = next(self._numbers)
                self._persons[number] = _Person(ends, value + (self._scores[pair[0]] + self._scores[pair[1]]))
                self._owner |= dict.fromkeys(pair, number)
            return
        first = self._persons[owners[0]]
        if len(owners) == 1:
            for number, candidate in ends.items():
                if number not in first.parts:
                    first.parts[number] = candidate
                    first.total += value + self._scores[candidate]
                    self._owner[candidate] = owners[0]
            return
        second = self._persons[owners[1]]
        if not first.parts.keys() & second.parts.keys():
            first.parts |= second.parts
            first.total += second.total + value
            del self._persons[owners[1]]
            self._owner |= dict.fromkeys(second.parts.values(), owners[0])
