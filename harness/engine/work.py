"""What is left to do of a pass: the cells that this run has claimed, with their missing batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.media.levers import drops_frames
from harness.planning.batches import outlines, plan_batches
from harness.planning.phases import draw_phases
from harness.unit import Todo, Unit

if TYPE_CHECKING:
    from harness.planning.plan import Pass, Plan
    from harness.store import Store
    from harness.unit import Cell

__all__ = ["Work", "known_parts", "label_of", "plan_work"]


@dataclass(frozen=True)
class Work:
    """The cells of a pass that this run has claimed.

    Args:
        a_pass: the pass.
        cells: the claimed cells.
        unit: what is left to compute of them, with the pretrained weights.
        done: experiment key -> the indices of the samples that the store already has.
    """

    a_pass: Pass
    cells: tuple[Cell, ...]
    unit: Unit
    done: Mapping[str, set[int]]

    def missing(self) -> dict[str, set[int]]:
        """Return the indices of the samples without a row, by the experiment's key; complete ones are left out."""
        found: dict[str, set[int]] = {}
        for todo in self.unit.todo:
            for number in todo.cells:
                key = self.cells[number].experiment.key
                found.setdefault(key, set()).update(todo.batch.indices)
        missing = {key: indices - self.done[key] for key, indices in found.items()}
        return {key: indices for key, indices in missing.items() if indices}

    def is_whole(self, cell: Cell) -> bool:
        """Return whether every sample of a cell has a row; a shard may have only a part of it."""
        return self.done[cell.experiment.key].issuperset(self.unit.subject.indices)

    def remaining(self) -> Unit:
        """Return the unit without the batches that are complete."""
        missing = self.missing()
        keys = [cell.experiment.key for cell in self.cells]
        todo = (
            Todo(
                entry.batch,
                tuple(n for n in entry.cells if missing.get(keys[n], set()).intersection(entry.batch.indices)),
            )
            for entry in self.unit.todo
        )
        return replace(self.unit, todo=tuple(entry for entry in todo if entry.cells))


def plan_work(a_pass: Pass, cells: Sequence[Cell], store: Store) -> Work:
    """Plan the batches of claimed cells of a pass; those whose rows the store has are left out."""
    subject, claimed = a_pass.subject, tuple(cells)
    if not claimed:
        return Work(a_pass, (), Unit(subject, (), ()), {})
    done = {cell.experiment.key: store.done(cell.experiment.key) for cell in claimed}
    known = outlines(subject.dataset, subject.indices)
    phases = draw_phases(known) if any(drops_frames(cell.codec) for cell in claimed) else {}
    todo = []
    place = 0
    for batch in plan_batches(known, subject.model.prepared_shape, subject.batch):
        unfinished = tuple(
            number
            for number, cell in enumerate(claimed)
            if _is_asked(a_pass, cell, place) and not done[cell.experiment.key].issuperset(batch.indices)
        )
        if unfinished:
            todo.append(Todo(batch, unfinished))
        place += len(batch.indices)
    reference = claimed[0].experiment.reference == "predictions"
    return Work(a_pass, claimed, Unit(subject, claimed, tuple(todo), reference, phases), done)


def _is_asked(a_pass: Pass, cell: Cell, place: int) -> bool:
    """Return whether the batch that begins at a place belongs to what the pass has of a cell."""
    piece = a_pass.pieces.get(cell.experiment.key)
    return piece is None or piece.start <= place < piece.stop


def label_of(cells: Sequence[Cell]) -> str:
    """Return the label of the first of some cells, and the number of the others, for messages."""
    others = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return f"{cells[0].experiment.label}{others}" if cells else "no experiment"


def known_parts(plan: Plan) -> list[object]:
    """Return the parts of a plan that workers need. A process that is forked now has them, so nobody need send them."""
    subjects = [a_pass.subject for a_pass in plan.passes]
    cells = [cell for a_pass in plan.passes for cell in a_pass.cells]
    return [
        *(part for subject in subjects for part in (subject.task, subject.model, subject.dataset)),
        *(part for cell in cells for part in (cell, cell.codec, cell.experiment)),
    ]
