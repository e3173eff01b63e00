"""How a run computes its confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Resampling"]


@dataclass(frozen=True)
class Resampling:
    """How the confidence intervals are computed.

    Args:
        resamples: the number of resamples.
        seed: the seed of the resampling. Paired comparisons of experiments need equal seeds.
    """

    resamples: int = 1000
    seed: int = 0
