"""Which samples an experiment has, and which share a batch: decided before any work, so that it never varies.

Batch 1 and batch 3 differ in the last bits on a CPU, and padding changes features. So the plan fixes the batches: only
samples of equal prepared shape share one, and a resumed, sharded or parallel run makes the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from harness.unit import Batch

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline

__all__ = ["PLANNER_VERSION", "outlines", "plan_batches", "stratified_subset"]

PLANNER_VERSION = 1
"""Part of every experiment's key: raised when the same data would be batched differently."""


def outlines(dataset: Dataset, indices: Iterable[int]) -> dict[int, Outline | None]:
    """The outline of each sample; None where not even that can be read (the sample will fail with its reason)."""
    found: dict[int, Outline | None] = {}
    for index in indices:
        try:
            found[index] = dataset.outline(index)
        except Exception:  # noqa: BLE001 - the worker meets it again, and records it with its reason
            found[index] = None
    return found


def plan_batches(
    known: dict[int, Outline | None], shape: Callable[[Outline], tuple[int, ...]], size: int
) -> tuple[Batch, ...]:
    """Batches of samples of equal shape, in dataset order of their first sample.

    Args:
        known: outline by index.
        shape: the model's `prepared_shape`.
        size: samples a batch at most.
    """
    open_groups: dict[tuple[int, ...], list[int]] = {}
    groups: list[list[int]] = []
    for index in sorted(known):
        outline = known[index]
        if outline is None:
            groups.append([index])
            continue
        key = shape(outline)
        group = open_groups.get(key)
        if group is None or len(group) == size:
            group = open_groups[key] = []
            groups.append(group)
        group.append(index)
    return tuple(Batch(number, tuple(group)) for number, group in enumerate(groups))


def stratified_subset(strata: Sequence[str], limit: int | None, seed: int) -> tuple[int, ...]:
    """A seeded subset in which every stratum has its share; a smaller limit's subset is part of a larger one's.

    Args:
        strata: the stratum of each sample.
        limit: how many to draw; None, or more than there are, takes all.
        seed: of the draw.

    Returns:
        ascending indices.

    >>> stratified_subset(["a", "a", "a", "a", "b", "b"], 3, seed=0)
    (2, 3, 5)
    """
    import numpy as np

    count = len(strata)
    if limit is None or limit >= count:
        return tuple(range(count))
    order = np.random.default_rng(seed).permutation(count)
    sizes: dict[str, int] = {}
    for stratum in strata:
        sizes[stratum] = sizes.get(stratum, 0) + 1
    taken: dict[str, int] = {}
    ranked = []
    for place, index in enumerate(int(i) for i in order):
        stratum = strata[index]
        rank = taken.get(stratum, 0)
        taken[stratum] = rank + 1
        ranked.append(((rank + 0.5) / sizes[stratum], place, index))
    return tuple(sorted(index for _, _, index in sorted(ranked)[:limit]))
