"""Shards: equal parts of a plan for processes that know nothing of each other, as the jobs of an array.

The parts follow from the plan alone. The cells of the plan are put in a row, in the order in which they are run, and
the row is cut into pieces of equal length, counted in samples. So a shard has whole cells, and at its ends perhaps a
part of a cell: the planned batches that begin in its piece. The cells of a trained model stay together, because each
process would train it for itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.experiment import key_of
from harness.planning.plan import Pass, Piece, Plan

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.unit import Cell

__all__ = ["Shard", "asked_of", "parse_shard", "shard_plan"]


@dataclass(frozen=True)
class Shard:
    """One of equal parts of a plan.

    Args:
        number: which part, from 1.
        of: the number of parts.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Return the shard that `K/N` names.

    Raises:
        UsageError: the text is no K/N with 1 <= K <= N.

    >>> parse_shard("3/16")
    Shard(number=3, of=16)
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if match is None:
        raise UsageError(f"--shard {text:.40}: K/N is expected, as 3/16 for the third of sixteen parts.")
    shard = Shard(int(match[1]), int(match[2]))
    if not 1 <= shard.number <= shard.of:
        raise UsageError(f"--shard {text}: the parts are 1/{shard.of or 1} to {shard.of or 1}/{shard.of or 1}.")
    return shard


def plan_digest(plan: Plan) -> str:
    """Return a digest of all experiments of a plan, in order. Shards of plans with equal digests fit together."""
    return key_of({"experiments": [experiment.key for experiment in plan.experiments]})


def shard_plan(plan: Plan, shard: Shard) -> Plan:
    """Return the part of a plan that is a shard. All shards together are the plan, each batch of a cell once.

    Args:
        plan: the whole plan.
        shard: which part.
    """
    total = sum(_size(cell.experiment) for a_pass in plan.passes for cell in a_pass.cells)
    start, stop = total * (shard.number - 1) / shard.of, total * shard.number / shard.of
    passes = []
    position = 0
    for a_pass in plan.passes:
        length = sum(_size(cell.experiment) for cell in a_pass.cells)
        if a_pass.job is not None:
            if start <= position + length / 2 < stop:
                passes.append(a_pass)
        elif mine := _part(a_pass, position, start, stop):
            passes.append(mine)
        position += length
    return replace(plan, passes=_without_foreign_baselines(passes), shard=str(shard), digest=plan_digest(plan))


def _without_foreign_baselines(passes: Sequence[Pass]) -> tuple[Pass, ...]:
    """Take the baseline from experiments whose baseline is in another shard. The merge gives it back to them."""
    keys = {cell.experiment.key for a_pass in passes for cell in a_pass.cells}

    def alone(cell: Cell) -> Cell:
        mine = cell.experiment
        return cell if mine.baseline in keys else replace(cell, experiment=replace(mine, baseline=None))

    return tuple(replace(a_pass, cells=tuple(map(alone, a_pass.cells))) for a_pass in passes)


def _part(a_pass: Pass, position: int, start: float, stop: float) -> Pass | None:
    """Return what a piece of the row has of a pass that begins at `position`."""
    cells = []
    pieces: dict[str, Piece] = {}
    for cell in a_pass.cells:
        size = _size(cell.experiment)
        first, last = max(start, position) - position, min(stop, position + size) - position
        if first < last:
            cells.append(cell)
            if (first, last) != (0, size):
                pieces[cell.experiment.key] = Piece(first, last)
        position += size
    return replace(a_pass, cells=tuple(cells), pieces=pieces) if cells else None


def _size(experiment: Experiment) -> int:
    return max(1, experiment.samples)


def asked_of(plan: Plan) -> list[Experiment]:
    """Return the experiments of a plan, each with about the number of samples that the plan has of it."""
    pieces = {key: piece for a_pass in plan.passes for key, piece in a_pass.pieces.items()}
    return [
        replace(experiment, samples=round(pieces[experiment.key].stop - pieces[experiment.key].start))
        if experiment.key in pieces
        else experiment
        for experiment in plan.experiments
    ]
