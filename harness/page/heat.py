"""Shaded tables: the heat maps of the page, which can also be read without colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.tables.numbers import interval_text

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.results.ladders import Ladder
    from harness.results.tables.matrix import Matrix

__all__ = ["HeatCell", "HeatTable", "heat_of_matrix", "level_words", "number"]


@dataclass(frozen=True)
class HeatCell:
    """One cell of a shaded table.

    Args:
        text: the text in the cell.
        shade: the strength of the cell's colour, from 0 to 1.
        title: the tooltip of the cell.
        mark: whether the cell has a frame.
    """

    text: str
    shade: float
    title: str = ""
    mark: bool = False


@dataclass(frozen=True)
class HeatTable:
    """A shaded table.

    Args:
        title: the text above the table.
        corner: the heading of the column with the rows' names.
        columns: the headings of the other columns.
        rows: for each row, its name and one cell for each column; None for an empty cell.
        note: the text below the table.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell | None, ...]], ...]
    note: str = ""


def level_words(ladder: Ladder, cell: ResultCell) -> str:
    """Return the heading for a level of a ladder, such as "quality 50"; the codec's name if it has no levels."""
    level = cell.facts["level"]
    return ladder.codec if level is None else f"{ladder.level_name} {level:g}"


def number(value: float) -> str:
    """Return a number as text, with three decimals; from 10 on with three significant digits.

    >>> number(0.12345), number(-0.0001), number(12.345)
    ('0.123', '0.000', '12.3')
    """
    return f"{value:.3g}" if abs(value) >= 10 else f"{round(value, 3) + 0.0:.3f}"


def heat_of_matrix(matrix: Matrix) -> HeatTable:
    """Return a matrix of training level by test level as a shaded table.

    The shade is strong for good values. A cell is framed if the model was trained at the level it is tested at.
    """
    entries = {place: matrix.measured(*place) for place in matrix.entries}
    values = [entry.value for entry in entries.values() if entry is not None and entry.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    higher_is_better = next((entry.higher_is_better for entry in entries.values() if entry is not None), True)

    def cell(row: str, column: str) -> HeatCell | None:
        entry = entries.get((row, column))
        if entry is None or entry.value is None:
            return None
        share = (entry.value - low) / (high - low) if high > low else 0.5
        value = interval_text(entry.metric, entry.margin)
        matched = matrix.entries[row, column].matched
        words = f"trained on {row}, tested on {column}: {value}" + (", matched" if matched else "")
        return HeatCell(number(entry.value), share if higher_is_better else 1 - share, words, matched)

    rows = tuple((row, tuple(cell(row, column) for column in matrix.columns)) for row in matrix.rows)
    names: Sequence[str] = [name if name == "none" else f"{matrix.level_name} {name}" for name in matrix.columns]
    note = f"{matrix.metric}. Rows: trained on; columns: tested on. Strong colour: good. Framed: trained as tested."
    return HeatTable(matrix.title, "trained on", tuple(names), rows, note)
