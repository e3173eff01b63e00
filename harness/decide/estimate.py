"""The two sides of a comparison, and estimates from their resamples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.estimate import Estimate
from harness.statistics.intervals import UNDEFINED_ALLOWED, student

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.results.cells import ResultCell
    from harness.results.ladders import Ladder
    from harness.results.resampled import ResampledMetric

    Known = dict[str, tuple[ResampledMetric, ResampledMetric]]
    """Metric and rate of each experiment, by its key."""

__all__ = ["TOO_FEW", "Side", "estimate_of", "has_too_few", "pairs"]


TOO_FEW = "no interval: undefined in too many resamples, or one group of samples only"


@dataclass(frozen=True)
class Side:
    """One of the two.

    Args:
        name: what it is called.
        ladder: its levels.
        baseline: the pretrained model on uncompressed frames; None where there is none.
    """

    name: str
    ladder: Ladder
    baseline: ResultCell | None


def estimate_of(value: float, resampled: NDArray[np.float64], freedom: int) -> Estimate:
    """From resamples that have the spread of the value."""
    if math.isnan(value):
        return Estimate(None, reason="undefined: no sample has anything of its kind")
    if has_too_few(resampled):
        return Estimate(value, reason=TOO_FEW)
    reach = student(freedom) * float(np.nanstd(resampled, ddof=1))
    return Estimate(value, value - reach, value + reach)


def has_too_few(resampled: NDArray[np.float64]) -> bool:
    """Whether the resamples in which something is defined are too few for an interval."""
    return bool(np.isnan(resampled).mean() > UNDEFINED_ALLOWED)


def pairs(first: Side, second: Side) -> list[tuple[ResultCell, ResultCell]]:
    """The experiments at equal levels of one codec with the same name for its level."""
    if first.ladder.cells[0].facts["codec"] != second.ladder.cells[0].facts["codec"]:
        return []
    others = {(cell.facts["level"], cell.facts["level_name"]): cell for cell in second.ladder.cells}
    found = [(cell, others.get((cell.facts["level"], cell.facts["level_name"]))) for cell in first.ladder.cells]
    return [(cell, other) for cell, other in found if other is not None and cell.facts["level"] is not None]
