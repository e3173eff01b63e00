"""Where rows were computed, as text and as a table: on which device, and at which place of an executor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.records import Placed
from harness.results.tables.text import Table

__all__ = ["places_note", "places_table", "places_text"]

_HERE = "main process"


def places_text(placed: Iterable[Placed]) -> str:
    """Return places and devices with their numbers of rows, over all runs and experiments; "" for none.

    >>> places_text([Placed("a", 1, "process 2", "cpu", 6), Placed("a", 1, "", "cpu", 4), Placed("b", 2, "", "cpu", 1)])
    'main process (cpu): 5; process 2 (cpu): 6'
    """
    sums: dict[tuple[str, str], int] = {}
    for one in placed:
        sums[one.place, one.device] = sums.get((one.place, one.device), 0) + one.rows
    return "; ".join(f"{place or _HERE} ({device}): {rows}" for (place, device), rows in sorted(sums.items()))


def places_note(placed: Sequence[Placed]) -> str:
    """Return a sentence that names places and devices; "" if all rows come from main processes with one device."""
    if not any(one.place for one in placed) and len({one.device for one in placed}) < 2:
        return ""
    return f"Rows by place (device): {places_text(placed)}."


def places_table(placed: Iterable[Placed], full: bool) -> Table:
    """Return a table of where rows were computed: a row for each run, place and device.

    Args:
        placed: where the rows of some experiments were computed.
        full: whether places are named, which may be names of hosts. Without them, only devices are.
    """
    rows: dict[tuple[object, ...], int] = {}
    experiments: dict[tuple[object, ...], set[str]] = {}
    for one in placed:
        where = (one.run, *((one.place or _HERE,) if full else ()), one.device)
        rows[where] = rows.get(where, 0) + one.rows
        experiments.setdefault(where, set()).add(one.experiment)
    columns = ("run", *(("place",) if full else ()), "device", "experiments", "rows")
    found = tuple((*where, len(experiments[where]), rows[where]) for where in sorted(rows, key=_natural))
    return Table(columns, found, "Where rows were computed")


def _natural(where: tuple[object, ...]) -> tuple[object, ...]:
    """Return a sort key: "process 10" comes after "process 9"."""
    return (where[0], *((len(str(text)), str(text)) for text in where[1:]))
