"""Units of work, as plain data that any process can carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.batches import Batch
    from harness.grid import Subject
    from harness.model import Precision
    from harness.plan import Cell

__all__ = ["Settings", "Todo", "Unit"]


@dataclass(frozen=True)
class Todo:
    """One planned batch, and which of the unit's cells still lack it.

    Args:
        batch: the batch.
        cells: positions in the unit's `cells`.
    """

    batch: Batch
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Unit:
    """A pass over some batches of one subject, for some of its cells.

    Args:
        subject: task, model and dataset.
        cells: experiments with their codecs.
        todo: what is to be done, in order.
        reference: whether the targets are what the model predicts on the uncompressed frames.
    """

    subject: Subject
    cells: tuple[Cell, ...]
    todo: tuple[Todo, ...]
    reference: bool = False

    @property
    def size(self) -> int:
        """How many rows of samples the unit will give."""
        return sum(len(todo.batch.indices) * len(todo.cells) for todo in self.todo)


@dataclass(frozen=True)
class Settings:
    """How a unit is carried out. Workers change no result; device and threads may change the last bits of one.

    All of it is provenance, recorded with the run. The precision is part of every cell's identity too.

    Args:
        device: a torch device ("cpu", "cuda:0", "mps").
        precision: of the forward pass.
        workers: processes that read, code and prepare; 0 does it in the process that predicts.
        threads: of the forward pass on the CPU.
        training_threads: of training on the CPU.
    """

    device: str
    precision: Precision
    workers: int
    threads: int
    training_threads: int = 1
