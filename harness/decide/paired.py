"""The two ladders of a comparison, and estimates with intervals from their resamples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import Estimate
from harness.statistics.intervals import UNDEFINED_ALLOWED
from harness.statistics.spread import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.results.cells import ResultCell
    from harness.results.ladders import Ladder
    from harness.results.resampled import ResampledMetric

    Known = dict[str, tuple[ResampledMetric, ResampledMetric]]
    """Experiment key -> the experiment's metric and rate."""

__all__ = ["TOO_FEW", "Draw", "Side", "estimate_of", "has_too_few", "pairs"]


TOO_FEW = "no interval: undefined in too many resamples, or one group of samples only"


@dataclass(frozen=True)
class Side:
    """One of the two ladders of a comparison (a ladder is one codec at several levels).

    Args:
        name: the name for tables.
        ladder: the ladder.
        baseline: the experiment of the pretrained model on uncompressed frames; None if there is none.
    """

    name: str
    ladder: Ladder
    baseline: ResultCell | None


@dataclass(frozen=True)
class Draw:
    """How the resamples of a comparison were drawn.

    Args:
        groups: the number of groups of samples (G); at least 2.
        seed: the seed; None if it is unknown.
    """

    groups: int
    seed: int | None = None

    @property
    def freedom(self) -> int:
        """The degrees of freedom: the number of groups minus 1."""
        return self.groups - 1


def estimate_of(value: float, resampled: NDArray[np.float64], of: Draw, bounded: bool = False) -> Estimate:
    """Return a value with its 95% interval.

    Args:
        value: the value on all samples; NaN if undefined.
        resampled: float64[R]: the values on the resamples, scaled so that their standard deviation is the standard
            error (`ResampledMetric.around`).
        of: how the resamples were drawn.
        bounded: whether it is a metric between 0 and 1, or a difference of such metrics; otherwise it has no limits.
    """
    if math.isnan(value):
        return Estimate(None, reason="undefined: no sample has anything of its kind")
    if has_too_few(resampled):
        return Estimate(value, reason=TOO_FEW)
    below, above = Spread.of_scaled(resampled, of.groups, of.seed, bounded, unlimited=not bounded).reach()
    return Estimate(value, value - below, value + above)


def has_too_few(resampled: NDArray[np.float64]) -> bool:
    """Return whether too many resampled values are undefined (NaN) for an interval."""
    return bool(np.isnan(resampled).mean() > UNDEFINED_ALLOWED)


def pairs(first: Side, second: Side) -> list[tuple[ResultCell, ResultCell]]:
    """Return the pairs of experiments with the same level; none if the two ladders have different codecs.

    The codec's name for the level must be the same too.
    """
    if first.ladder.cells[0].facts["codec"] != second.ladder.cells[0].facts["codec"]:
        return []
    by_level = {(cell.facts["level"], cell.facts["level_name"]): cell for cell in second.ladder.cells}
    matches = [(cell, by_level.get((cell.facts["level"], cell.facts["level_name"]))) for cell in first.ladder.cells]
    return [(cell, match) for cell, match in matches if match is not None and cell.facts["level"] is not None]
