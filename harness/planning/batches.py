"""Selects the samples of an experiment and divides them into batches, before any work starts.

The batch size changes results in the last bits on a CPU, and padding changes features. So the plan fixes the batches:
only samples whose prepared inputs have equal shapes share a batch, and a resumed, sharded or parallel run uses the same
batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import ref

from harness.keep.before import answered, still_there
from harness.planning.given import check_outline
from harness.unit import Batch

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline

__all__ = ["PLANNER_VERSION", "outlines", "plan_batches", "stratified_subset", "twins"]

PLANNER_VERSION = 1
"""A part of every experiment's key. Increase it when the same data would be divided into other batches."""


_read: list[tuple[ref[Dataset], dict[int, Outline]]] = []
"""The outlines that were read of each opened dataset, which reads the headers of its files for them."""


def outlines(dataset: Dataset, indices: Iterable[int]) -> dict[int, Outline | None]:
    """Return the outline of each sample by index; None if it cannot be read (the sample then fails during the run).

    An outline that could be read is not asked for again.
    """
    asked = tuple(indices)
    read = _read_of(dataset)
    known: dict[int, Outline | None] = {index: read[index] for index in asked if index in read}
    if missing := [index for index in asked if index not in read]:
        known |= answered(f"dataset {dataset.name!r}", "outline()", lambda: _asked_for(dataset, missing))
        read.update((index, outline) for index in missing if (outline := known[index]) is not None)
    return {index: known[index] for index in asked}


def _asked_for(dataset: Dataset, indices: Iterable[int]) -> dict[int, Outline | None]:
    known: dict[int, Outline | None] = {}
    for index in indices:
        still_there()
        try:
            known[index] = check_outline(dataset.outline(index))
        except (Exception, SystemExit):  # noqa: BLE001 - the worker gets the same error, and records it with the sample
            known[index] = None
    return known


def _read_of(dataset: Dataset) -> dict[int, Outline]:
    """Return where the outlines of a dataset are kept as long as it lives. Equal datasets may be of different files."""
    _read[:] = [(known, read) for known, read in _read if known() is not None]
    for known, read in _read:
        if known() is dataset:
            return read
    _read.append((ref(dataset), {}))
    return _read[-1][1]


def twins(known: Mapping[int, Outline | None]) -> dict[str, list[int]]:
    """Return the ids that several samples have, with the indices of these samples.

    Args:
        known: sample index -> outline; None if the outline could not be read.

    >>> from harness.dataset import Outline
    >>> twins({0: Outline("a", 4, 4), 1: Outline("b", 4, 4), 2: None, 3: Outline("a", 8, 8)})
    {'a': [0, 3]}
    """
    found: dict[str, list[int]] = {}
    for index, outline in known.items():
        if outline is not None:
            found.setdefault(outline.id, []).append(index)
    return {name: indices for name, indices in found.items() if len(indices) > 1}


def plan_batches(
    known: dict[int, Outline | None], shape: Callable[[Outline], tuple[int, ...]], size: int
) -> tuple[Batch, ...]:
    """Divide samples into batches of equal prepared shape; batches are in the order of their first samples.

    A sample without an outline gets a batch of its own.

    Args:
        known: sample index -> outline; None if the outline could not be read.
        shape: the model's `prepared_shape`.
        size: the maximum number of samples in a batch.
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
    """Select a random subset in which every stratum has its proportional share.

    With equal seeds, the subset for a smaller limit is contained in the subset for a larger limit.

    Args:
        strata: the stratum of each sample.
        limit: the number of samples to select; None, or a limit above the number of samples, selects all.
        seed: the seed of the selection.

    Returns:
        The indices of the selected samples, ascending.

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
    ranks: dict[str, int] = {}
    ranked = []
    for place, index in enumerate(int(i) for i in order):
        stratum = strata[index]
        rank = ranks.get(stratum, 0)
        ranks[stratum] = rank + 1
        ranked.append(((rank + 0.5) / sizes[stratum], place, index))
    return tuple(sorted(index for _, _, index in sorted(ranked)[:limit]))
