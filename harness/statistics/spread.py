"""How far a value or a difference may be from the truth, from its resamples and from what each group contributes.

The standard error alone is too small where few groups lose anything: the groups that were not drawn may lose too, and
the losing groups decide both the value and its error. So the interval is widened in two ways, which vanish as more
groups contribute (u is the influence of a group: the part of the deviation that is due to it):

- *One group more*: the squared error is raised by half the square of the largest influence, as if one more group
  deviated as far as the one that deviates most with a probability of a half.
- *Skewness*: where few groups with large influences deviate to one side, the error grows with the distance to that
  side, as the variance of a count does. With w = sum u^3 / (squared error), the end on that side is at
  t^2 w / 2 + t sqrt(squared error + t^2 w^2 / 4). This is Wilson's interval (JASA 22, 1927), with w for 1/n.

Samples are less skewed than the population that they come from. For a metric without limits (metres, an error) w is
therefore multiplied by 2.5, because a single frame may be as bad as it likes; for a bound that has to hold on its own
side, by 1.5. These factors were chosen by simulation.

If no group deviates at all, nothing is known of its size. For a metric between 0 and 1 the half width is then the
largest share of groups that may lose, none of the G groups having lost anything (Clopper and Pearson).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.quantiles import CONFIDENCE, student
from harness.statistics.resamples import influences, scale_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spread", "unseen_share"]

UNSEEN = 0.5
"""The part of the largest influence's square that is added to the squared error. It was chosen by simulation."""

SKEW_OF_BOUND = 1.5
"""The factor of the skewness for a bound whose one side alone must hold."""
SKEW_UNLIMITED = 2.5
"""The factor of the skewness for metrics without limits."""

_NOISE = 1e-12
"""The size up to which a standard error is a rounding error."""


@dataclass(frozen=True)
class Spread:
    """The uncertainty of one number.

    Args:
        error: the standard error.
        largest: the largest absolute influence of a group; 0 if the influences are unknown.
        skew: the third power of the influences, summed, divided by their squares, summed (w above).
        groups: the number of groups that contribute to the number (G).
        bounded: whether it is a metric between 0 and 1, or a difference of such metrics.
        unlimited: whether it is a metric without limits, or a difference of such metrics. A logarithm of a rate, for
            example, is neither.
    """

    error: float
    largest: float
    skew: float
    groups: int
    bounded: bool = False
    unlimited: bool = False

    @classmethod
    def of(
        cls,
        error: float,
        influences: NDArray[np.float64] | None,
        groups: int,
        bounded: bool = False,
        unlimited: bool = False,
    ) -> Spread:
        """Summarise a standard error and the influences of the groups, float64[G]; None if these are unknown."""
        if influences is None or not error > _NOISE:
            return cls(0.0 if error <= _NOISE else error, 0.0, 0.0, groups, bounded, unlimited)
        squares = float((influences**2).sum())
        skew = float((influences**3).sum()) / squares if squares else 0.0
        return cls(error, float(np.abs(influences).max()), skew, groups, bounded, unlimited)

    @classmethod
    def of_scaled(
        cls,
        resampled: NDArray[np.float64],
        groups: int,
        seed: int | None,
        bounded: bool = False,
        unlimited: bool = False,
    ) -> Spread:
        """Summarise values on the resamples that are scaled so that their standard deviation is the standard error.

        Args:
            resampled: float64[R]; NaN where undefined.
            groups: the number of groups (G).
            seed: the seed of the resamples; None if they were not drawn by `subsets`.
            bounded: as in `Spread`.
            unlimited: as in `Spread`.
        """
        of_groups = None
        if seed is not None and groups > 1:
            of_groups = influences({"": resampled}, groups, seed)[""] / scale_of(groups)
        return cls.of(float(np.nanstd(resampled, ddof=1)), of_groups, groups, bounded, unlimited)

    def reach(self, confidence: float = CONFIDENCE, bound: bool = False) -> tuple[float, float]:
        """Return how far the truth may be below and above the value.

        Args:
            confidence: the confidence level of the two-sided interval. Each end is a one-sided bound at the level
                (1 + confidence) / 2.
            bound: whether each end must hold alone. The ends of an interval may fail unequally often.
        """
        if not self.error:
            half = unseen_share(self.groups, confidence) if self.bounded else 0.0
            return half, half
        t = student(self.groups - 1, confidence)
        squared = self.error**2 + UNSEEN * self.largest**2
        skew = self.skew * (SKEW_UNLIMITED if self.unlimited else SKEW_OF_BOUND if bound else 1.0)
        below, above = (
            t * t * side / 2 + t * math.sqrt(squared + t * t * side * side / 4)
            for side in (max(0.0, -skew), max(0.0, skew))
        )
        return below, above


def unseen_share(groups: int, confidence: float) -> float:
    """Return the largest share of groups that may lose something if none of the observed groups does.

    Args:
        groups: the number of observed groups.
        confidence: the confidence level of the two-sided interval, of which this is one end.

    >>> round(unseen_share(40, 0.9), 3)
    0.072
    """
    return 1.0 - float(((1.0 - confidence) / 2) ** (1 / groups))
