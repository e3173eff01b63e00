"""Shards: equal parts of a plan for processes that know nothing of each other, as the jobs of an array.

The parts follow from the plan alone. The cells of the plan are put in a row, in the order in which they are run, and
the row is cut into pieces of equal length, counted in samples. So a shard has whole cells, and at its ends perhaps a
part of a cell: the planned batches that begin in its piece. The cells of a trained model stay together, because each
process would train it for itself; a shard that has them gets a shorter piece.
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
    trained = _trained_passes(plan, shard.of)
    edges = _edges([sum(_length(plan.passes[place]) for place in places) for places in trained], _row_length(plan))
    start, stop = edges[shard.number - 1], edges[shard.number]
    passes = []
    position = 0
    for place, a_pass in enumerate(plan.passes):
        if a_pass.job is not None:
            if place in trained[shard.number - 1]:
                passes.append(a_pass)
            continue
        if mine := _part(a_pass, position, start, stop):
            passes.append(mine)
        position += _length(a_pass)
    return replace(plan, passes=_without_foreign_baselines(passes), shard=str(shard), digest=plan_digest(plan))


def _trained_passes(plan: Plan, shards: int) -> list[list[int]]:
    """Return which passes of trained models each shard has: the longest first, each to the shard with the least."""
    shares: list[list[int]] = [[] for _ in range(shards)]
    loads = [0] * shards
    places = [place for place, a_pass in enumerate(plan.passes) if a_pass.job is not None]
    for place in sorted(places, key=lambda place: -_length(plan.passes[place])):
        least = loads.index(min(loads))
        shares[least].append(place)
        loads[least] += _length(plan.passes[place])
    return shares


def _edges(loads: Sequence[int], length: int) -> list[float]:
    """Return where the row of the other cells is cut, so that every shard has as much as possible of the same length.

    Args:
        loads: what each shard has already.
        length: the length of the row.

    Returns:
        one number more than shards; shard n has what lies between the numbers n and n + 1.

    >>> _edges([0, 0, 6], 10)
    [0.0, 5.0, 10.0, 10.0]
    """
    if not length:
        return [0.0] * (len(loads) + 1)
    level, rest = 0.0, sorted(loads)
    for count in range(1, len(rest) + 1):  # the `count` shards with the least are filled up to one level
        level = (length + sum(rest[:count])) / count
        if count == len(rest) or level <= rest[count]:
            break
    edges = [0.0]
    for load in loads:
        edges.append(edges[-1] + max(0.0, level - load))
    filled = [place for place, load in enumerate(loads) if load < level]
    edges[filled[-1] + 1 :] = [float(length)] * (len(loads) - filled[-1])  # whatever rounding left
    return edges


def _length(a_pass: Pass) -> int:
    return sum(_size(cell.experiment) for cell in a_pass.cells)


def _row_length(plan: Plan) -> int:
    return sum(_length(a_pass) for a_pass in plan.passes if a_pass.job is None)


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
