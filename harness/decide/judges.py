"""Functions that test a level's drop against a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.decide.within_limit import Bound, bound_of

if TYPE_CHECKING:
    from harness.decide.limit import Limit
    from harness.results.cells import ResultCell
    from harness.results.resampled import Resampler

    Judge = Callable[[ResultCell, ResultCell, str, Limit, float], tuple[Bound, int, int]]
    """A function that tests the drop at a level against a limit.

    Its arguments are the experiment at the level, the baseline, a metric that both have, the limit and the confidence.
    It returns the bound, the number of samples that it was computed from, and the number of their groups."""

__all__ = ["by_resampling"]


def by_resampling(resampler: Resampler) -> Judge:
    """Return a function that tests a level's drop against a limit, by resampling.

    It uses the samples that failed neither in the experiment at the level nor in the baseline.
    """

    def judge(
        cell: ResultCell, baseline: ResultCell, metric: str, limit: Limit, confidence: float
    ) -> tuple[Bound, int, int]:
        level, base = resampler.together([([cell], metric), ([baseline], metric)])
        up = cell.metrics[metric].higher_is_better
        bound = bound_of(level.replicates, base.replicates, metric, up, limit, confidence, cell.is_lossless)
        return bound, level.samples, level.groups

    return judge
