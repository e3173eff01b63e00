"""A table whose cells are shaded: the heat maps of the page, which can be read without colours too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.tables.numbers import interval_text

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.results.ladders import Ladder
    from harness.results.tables.matrix import Matrix

__all__ = ["Heat", "Shaded", "heat_of_matrix", "level_words", "number"]


@dataclass(frozen=True)
class Shaded:
    """One cell.

    Args:
        text: what stands in it.
        shade: 0 to 1, how strongly it is coloured.
        title: what is told when it is pointed at.
        mark: whether it is framed.
    """

    text: str
    shade: float
    title: str = ""
    mark: bool = False


@dataclass(frozen=True)
class Heat:
    """A shaded table.

    Args:
        title: above it.
        corner: what its rows are.
        columns: their names.
        rows: name and a cell a column; None for an empty one.
        note: below it.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Shaded | None, ...]], ...]
    note: str = ""


def level_words(ladder: Ladder, cell: ResultCell) -> str:
    """What a column of a ladder is called: "quality 50"; the codec's name where it has no levels."""
    level = cell.facts["level"]
    return ladder.codec if level is None else f"{ladder.level_name} {level:g}"


def number(value: float) -> str:
    """A number in three decimals, or three digits where it is large.

    >>> number(0.12345), number(-0.0001), number(12.345)
    ('0.123', '0.000', '12.3')
    """
    return f"{value:.3g}" if abs(value) >= 10 else f"{round(value, 3) + 0.0:.3f}"


def heat_of_matrix(matrix: Matrix) -> Heat:
    """Trained at one level, tested at another: strong where the model is good, framed where both are the same."""
    found = {place: matrix.measured(*place) for place in matrix.entries}
    values = [one.value for one in found.values() if one is not None and one.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    rising = next((one.higher_is_better for one in found.values() if one is not None), True)

    def cell(row: str, column: str) -> Shaded | None:
        one = found.get((row, column))
        if one is None or one.value is None:
            return None
        share = (one.value - low) / (high - low) if high > low else 0.5
        told = interval_text(one.metric, one.margin)
        matched = matrix.entries[row, column].matched
        words = f"trained on {row}, tested on {column}: {told}" + (", matched" if matched else "")
        return Shaded(number(one.value), share if rising else 1 - share, words, matched)

    rows = tuple((row, tuple(cell(row, column) for column in matrix.columns)) for row in matrix.rows)
    names: Sequence[str] = [name if name == "none" else f"{matrix.level_name} {name}" for name in matrix.columns]
    note = f"{matrix.metric}. Rows: trained on; columns: tested on. Strong colour: good. Framed: trained as tested."
    return Heat(matrix.title, "trained on", tuple(names), rows, note)
