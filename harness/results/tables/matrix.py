"""Trained at one level, tested at another: the matrix of one model, dataset and codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.naming import codec_names
from harness.results.seeds import average_over_seeds
from harness.results.tables.notes import seeds_note
from harness.results.tables.numbers import interval_text
from harness.results.tables.text import Table
from harness.results.trainings import differences, is_matched, kind_of, newest_series, trained_on
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.results.cells import Measured, ResultCell

__all__ = ["Entry", "Matrix", "matrices", "matrix_long", "matrix_table"]

UNCOMPRESSED = "none"


@dataclass(frozen=True)
class Entry:
    """What one training scores at one level.

    Args:
        cell: the experiment; the mean over seeds where there are several.
        matched: whether it was trained on data coded as it is tested.
    """

    cell: ResultCell
    matched: bool

    def measured(self, metric: str) -> Measured | None:
        """The metric; None where it is undefined."""
        found = self.cell.metrics.get(metric)
        return None if found is None or found.value is None else found


@dataclass(frozen=True)
class Matrix:
    """All trainings of a subject, tested on uncompressed data and at every level of a codec.

    Args:
        title: task, model, data and codec.
        metric: which is shown.
        level_name: what the codec calls its levels.
        rows: what was trained on: pretrained, clean, mixed, then each level, mildest first.
        columns: what was tested: none, then each level, mildest first.
        entries: by row and column.
    """

    title: str
    metric: str
    level_name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: dict[tuple[str, str], Entry]

    def measured(self, row: str, column: str) -> Measured | None:
        """The metric of a training at a level; None where that was not tested, or is undefined."""
        entry = self.entries.get((row, column))
        return entry.measured(self.metric) if entry else None


def matrices(cells: Sequence[ResultCell], metric: str | None = None) -> list[Matrix]:
    """The matrices of everything that was retrained.

    Args:
        cells: experiments in order; those that are not finished are left out.
        metric: which; None takes each task's primary one.
    """
    finished = [cell for cell in cells if cell.facts["status"] == "finished"]
    clean: dict[str, list[ResultCell]] = {}
    coded: dict[str, list[ResultCell]] = {}
    for cell in finished:
        if cell.facts["level"] is not None:
            coded.setdefault(cell.ladder, []).append(cell)
        elif cell.facts["codec"] == UNCOMPRESSED and not cell.options:
            clean.setdefault(cell.subject, []).append(cell)
    groups = [group for group in coded.values() if any(kind_of(cell) != "pretrained" for cell in group)]
    names = codec_names([group[0] for group in groups])
    return [
        _matrix([*clean.get(group[0].subject, []), *group], f"{name}{conditions}", metric)
        for group, name, conditions in zip(groups, names, differences(groups), strict=True)
    ]


def _matrix(cells: Sequence[ResultCell], codec: str, metric: str | None) -> Matrix:
    last = cells[-1].facts
    by_row: dict[str, list[ResultCell]] = {}
    for cell in cells:
        by_row.setdefault(_row(cell, cells[-1]), []).append(cell)
    tested = list(dict.fromkeys(_column(cell) for cell in cells if kind_of(cell) == "pretrained"))
    tested += [column for column in dict.fromkeys(map(_column, cells)) if column not in tested]
    entries = {}
    for row, group in by_row.items():
        if coded := [cell for cell in group if cell.facts["level"] is not None]:  # not only on uncompressed data
            series = newest_series(coded)
            for cell in average_over_seeds([cell for cell in group if cell.facts["series"] == series]):
                entries[row, _column(cell)] = Entry(cell, is_matched(cell))
    shown = dict.fromkeys(row for row, _ in entries)
    first = [row for row in ("pretrained", "clean", "mixed", *tested) if row in shown]
    rows = [*first, *(row for row in shown if row not in first)]
    metric = metric or next(name for cell in cells for name, one in cell.metrics.items() if one.is_primary)
    place = f"{last['model']} on {last['dataset']}/{last['split']}"
    title = f"{last['task']}: {place}, {codec}"
    return Matrix(title, metric, last["level_name"] or "level", tuple(rows), tuple(tested), entries)


def _row(cell: ResultCell, tested: ResultCell) -> str:
    """What it was trained on; the codec is named where it is not the one that the matrix is of, options and all."""
    row = cell.facts
    kind = kind_of(cell)
    own = trained_on(cell, tested.facts["codec"], tested.options)
    if kind == "level":
        kind = f"{row['train_level']:g}"
        kind = kind if own else f"{row['train_codec']}@{kind}"
    elif kind == "mixed" and not own:
        kind = f"mixed {row['train_codec']}"
    return f"{kind} ({row['parts']} only)" if row["parts"] else kind


def _column(cell: ResultCell) -> str:
    level = cell.facts["level"]
    return UNCOMPRESSED if level is None else f"{level:g}"


def matrix_table(matrix: Matrix) -> Table:
    """The matrix, for people."""
    rows = []
    for row in matrix.rows:
        texts = []
        for column in matrix.columns:
            found = matrix.measured(row, column)
            text = "" if found is None else interval_text(Estimate(found.value), found.margin)
            texts.append(f"{text} *" if text and matrix.entries[row, column].matched else text)
        rows.append((row, *texts))
    columns = ("trained on", *(c if c == UNCOMPRESSED else f"{matrix.level_name} {c}" for c in matrix.columns))
    seeds = seeds_note([entry.cell.seeds for entry in matrix.entries.values()])
    notes = ("Columns: tested on. *: trained on data coded as they are tested.", *seeds)
    return Table(columns, tuple(rows), f"{matrix.title}: {matrix.metric}", notes)


def matrix_long(found: Sequence[Matrix]) -> Table:
    """A row for each entry, for programs."""
    facts = ("task", "model", "weights", "dataset", "split", "codec", "codec_options", "level_name")
    trained = ("training", "train_codec", "train_level", "train_mode", "parts")
    columns = (*facts, *trained, "trained_on", "level", "metric", "value", "ci_low", "ci_high", "seeds", "seeds_margin")
    rows = []
    for matrix in found:
        for (row, _), entry in matrix.entries.items():
            its, measured = entry.cell.facts, entry.measured(matrix.metric)
            told = (
                (measured.metric.value, measured.metric.low, measured.metric.high) if measured else (None, None, None)
            )
            seeds = (entry.cell.seeds, measured.margin if measured else None)
            named = (*(its[name] for name in facts), *(its[name] for name in trained))
            rows.append((*named, row, its["level"], matrix.metric, *told, *seeds))
    return Table(columns, tuple(rows))
