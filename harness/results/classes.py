"""The class names of recorded experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.task import class_metrics

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["classes_of"]


def classes_of(store: Store, cells: Sequence[ResultCell]) -> dict[str, tuple[str, ...]]:
    """Return the class names of each experiment, by the experiment's key.

    If the store does not have them, because an earlier version finished the experiment, they are taken from the names
    of its per-class metrics, which have the form NAME[class].
    """
    known = store.classes([cell.facts["experiment"] for cell in cells])
    return {cell.facts["experiment"]: known.get(cell.facts["experiment"]) or _from_metrics(cell) for cell in cells}


def _from_metrics(cell: ResultCell) -> tuple[str, ...]:
    return tuple(name.partition("[")[2].removesuffix("]") for name in class_metrics(cell.metrics))
