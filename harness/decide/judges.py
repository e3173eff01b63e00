"""Functions that test a level's drop against a limit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.decide.within_limit import Bound, bound_of
from harness.results.resampled import Resampler

if TYPE_CHECKING:
    from harness.decide.limit import Limit
    from harness.discovery.plugins import Plugins
    from harness.results.cells import ResultCell
    from harness.store import Store

    Judge = Callable[[ResultCell, ResultCell, str, Limit, float], tuple[Bound, int, int]]
    """A function that tests the drop at a level against a limit.

    Its arguments are the experiment at the level, the baseline, a metric that both have, the limit and the confidence.
    It returns the bound, the number of samples that it was computed from, and the number of their groups."""

__all__ = ["by_resampling", "judge_of"]


def judge_of(
    store: Store,
    cells: Sequence[ResultCell],
    plugins: Plugins,
    resamples: int = 1000,
    warn: Callable[[str], None] = warnings.warn,
) -> Judge:
    """Return the function that tests levels of a database's experiments.

    `harness recommend` and `harness report` both use it, so that they give the same bounds.

    Args:
        store: the open store, which must stay open.
        cells: the experiments, with the baselines.
        plugins: the plugins that provide the tasks.
        resamples: the number of resamples.
        warn: is called with a sentence if resampled metrics are kept, but cannot be used.
    """
    keys = [cell.facts["experiment"] for cell in cells]
    identities = store.identities(keys)
    return by_resampling(Resampler(dict.fromkeys(keys, store), identities, plugins, resamples, 0, warn))


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
