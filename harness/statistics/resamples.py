"""The resamples that every interval comes from: which groups they contain, and what follows from values on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["influences", "scale_of", "size_bias", "standard_error", "subset", "subsets"]

KEPT = 2 / 3
"""The share of the groups that a resample contains."""


def subset(groups: int, seed: int, number: int) -> NDArray[np.bool_]:
    """Draw one resample: bool[G], true for the groups that it contains.

    The result depends only on the three arguments.

    Args:
        groups: the number of groups (G).
        seed: the seed of all resamples.
        number: the number of this resample.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, number])))
    chosen = np.zeros(groups, np.bool_)
    chosen[random.permutation(groups)[: _kept(groups)]] = True
    return chosen


def subsets(groups: int, seed: int, numbers: range) -> NDArray[np.bool_]:
    """Draw several resamples (`subset`), or take those that were drawn before: bool[R, G].

    Args:
        groups: the number of groups (G).
        seed: the seed of all resamples.
        numbers: the numbers of the resamples.
    """
    bits = _bits(groups, seed, numbers.stop)[numbers.start : numbers.stop]
    return np.unpackbits(bits, axis=1, count=groups).view(np.bool_)


@lru_cache(maxsize=4)
def _bits(groups: int, seed: int, resamples: int) -> NDArray[np.uint8]:
    """Return the first resamples as bits, uint8[R, ceil(G / 8)]. The next experiment mostly has the same."""
    bits = np.empty((resamples, -(-groups // 8)), np.uint8)
    for number in range(resamples):
        bits[number] = np.packbits(subset(groups, seed, number))
    return bits


def standard_error(resampled: NDArray[np.float64], groups: int) -> float:
    """Return the standard error of a value that was computed on G groups, from its values on the resamples (`subset`).

    For a mean it equals the usual standard error: the standard deviation over the square root of G.
    """
    return float(np.std(resampled, ddof=1)) * scale_of(groups)


def scale_of(groups: int) -> float:
    """Return the standard error of a value on G groups over the standard deviation of its values on the resamples."""
    kept = _kept(groups)
    return math.sqrt(kept / (groups - kept))


def size_bias(value: float, resampled: NDArray[np.float64], groups: int) -> float:
    """Return the jackknife's estimate of the bias that a value on G groups has because G is small.

    The estimate assumes that the bias falls as 1/G. The change of the value from all G groups to an infinite dataset is
    then twice the change from two thirds of the groups to all of them. For a mean the bias is 0.

    Args:
        value: the value on all groups.
        resampled: float64[R]: the value on each resample.
        groups: the number of groups (G).
    """
    kept = _kept(groups)
    return (float(np.mean(resampled)) - value) * kept / (groups - kept)


def _kept(groups: int) -> int:
    return min(groups - 1, max(1, round(KEPT * groups)))


def influences(resampled: Mapping[str, NDArray[np.float64]], groups: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return how much each group contributes to the deviation of each metric: float64[G] for each metric, sum 0.

    The influence of a group is its part of the value on all groups, minus the mean part. It follows from the difference
    between the resamples that contain the group and those that do not. For a mean over groups, the sum of the squares
    of all influences is (G - 1) / G of the squared standard error, except for the randomness of the resamples.

    Args:
        resampled: metric -> its values on the resamples, float64[R]; NaN where undefined.
        groups: the number of groups (G), at least 2.
        seed: the seed of the resamples.
    """
    if not resampled:
        return {}
    values = np.array(list(resampled.values()), np.float64)
    defined = np.isfinite(values)
    count = np.maximum(1, defined.sum(axis=1, keepdims=True))
    deviations = np.where(defined, values, 0.0)
    deviations = np.where(defined, deviations - deviations.sum(axis=1, keepdims=True) / count, 0.0)
    drawn = subsets(groups, seed, range(values.shape[1])).astype(np.float64)
    scale = (groups - 1) / (groups - _kept(groups))
    found = (deviations @ drawn) / count * scale
    return dict(zip(resampled, found - found.mean(axis=1, keepdims=True), strict=True))
