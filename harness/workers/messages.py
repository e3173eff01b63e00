"""The messages between the main process and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.batches.desk import Place
    from harness.unit import RowBatch
    from harness.workers.slots import Parcel

__all__ = ["Assigned", "Began", "Broken", "Classes", "Done", "Input", "Output", "Rows", "Scored", "Started"]

# Messages of the main process


@dataclass(frozen=True)
class Classes:
    """The network is loaded; it has these classes."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Assigned:
    """What this worker has to do next.

    Args:
        position: the position of the entry of the unit's `todo`; None after the last one.
        cells: the cells that still need it, as positions in the unit's cells.
        faults: what is not to be tried, with the reasons (`harness.batches.desk`).
    """

    position: int | None
    cells: tuple[int, ...] = ()
    faults: tuple[tuple[Place, str], ...] = ()


@dataclass(frozen=True)
class Output:
    """The predictions (`Predicted`) of the batch in a slot."""

    slot: int
    parcel: Parcel


# Messages of a worker


@dataclass(frozen=True)
class Started:
    """The worker is there.

    Args:
        desk: whether the file descriptor of the memory follows in which it says what it does.
    """

    desk: bool


@dataclass(frozen=True)
class Began:
    """The worker has begun an entry of `todo`, and can be assigned another one."""


@dataclass(frozen=True)
class Input:
    """The network's input for one batch, in a slot.

    Args:
        slot: the number of the slot.
        parcel: the input.
        cell: the cell, as its position in the unit's cells, or `REFERENCE`.
        samples: the number of samples.
        batch: the number of the planned batch.
    """

    slot: int
    parcel: Parcel
    cell: int
    samples: int
    batch: int


@dataclass(frozen=True)
class Scored:
    """The rows of one batch of one cell.

    Args:
        rows: the rows.
        notes: warnings for the user.
        on_device: whether the batch was predicted for these rows.
    """

    rows: RowBatch
    notes: tuple[str, ...]
    on_device: bool


@dataclass(frozen=True)
class Rows:
    """The rows of some batches."""

    batches: tuple[Scored, ...]


@dataclass(frozen=True)
class Done:
    """The worker has done everything that was assigned to it, and ends."""


@dataclass(frozen=True)
class Broken:
    """The worker ends because of an error that belongs to no sample."""

    error: BaseException
