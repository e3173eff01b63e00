"""The matrix of one model, dataset and codec: a row for each training level and a column for each test level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.naming import codec_names
from harness.results.seeds import average_over_seeds
from harness.results.tables.notes import seeds_note
from harness.results.tables.numbers import interval_text
from harness.results.tables.text import Table
from harness.results.trained import is_matched, kind_of, trained_on
from harness.results.trainings import differences, newest_series
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.results.cells import MeasuredMetric, ResultCell

__all__ = ["Entry", "Matrix", "matrices", "matrix_long", "matrix_table"]

UNCOMPRESSED = "none"


@dataclass(frozen=True)
class Entry:
    """The result of one training, tested at one level.

    Args:
        cell: the experiment; the mean over the seeds if there are several.
        matched: whether the model was trained on data with the same codec, options and level as in the test.
    """

    cell: ResultCell
    matched: bool

    def measured(self, metric: str) -> MeasuredMetric | None:
        """Return the metric with this name; None if it is undefined."""
        measured = self.cell.metrics.get(metric)
        return None if measured is None or measured.value is None else measured


@dataclass(frozen=True)
class Matrix:
    """The results of all trainings of a model, tested on uncompressed data and at every level of a codec.

    Args:
        title: the title: task, model, data and codec.
        metric: the name of the metric that is shown.
        level_name: the codec's name for its level ("quality", "crf", ...).
        rows: the training data: pretrained, clean, mixed, then each level, mildest first.
        columns: the test data: none (uncompressed), then each level, mildest first.
        entries: (row, column) -> result.
    """

    title: str
    metric: str
    level_name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: dict[tuple[str, str], Entry]

    def measured(self, row: str, column: str) -> MeasuredMetric | None:
        """Return the metric of one training at one level; None if it was not tested or the metric is undefined."""
        entry = self.entries.get((row, column))
        return entry.measured(self.metric) if entry else None


def matrices(cells: Sequence[ResultCell], metric: str | None = None) -> list[Matrix]:
    """Return a matrix for each model, dataset and codec for which models were retrained.

    Args:
        cells: the experiments, sorted; experiments that are not finished are left out.
        metric: the name of the metric to show; None for the primary metric of each task.
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
    columns = list(dict.fromkeys(_column(cell) for cell in cells if kind_of(cell) == "pretrained"))
    columns += [column for column in dict.fromkeys(map(_column, cells)) if column not in columns]
    entries = {}
    for row, group in by_row.items():
        # A training that was tested only on uncompressed data gets no row.
        if coded := [cell for cell in group if cell.facts["level"] is not None]:
            series = newest_series(coded)
            for cell in average_over_seeds([cell for cell in group if cell.facts["series"] == series]):
                entries[row, _column(cell)] = Entry(cell, is_matched(cell))
    shown = dict.fromkeys(row for row, _ in entries)
    first = [row for row in ("pretrained", "clean", "mixed", *columns) if row in shown]
    rows = [*first, *(row for row in shown if row not in first)]
    metric = metric or next(name for cell in cells for name, measured in cell.metrics.items() if measured.is_primary)
    subject = f"{last['model']} on {last['dataset']}/{last['split']}"
    title = f"{last['task']}: {subject}, {codec}"
    return Matrix(title, metric, last["level_name"] or "level", tuple(rows), tuple(columns), entries)


def _row(cell: ResultCell, tested: ResultCell) -> str:
    """Return the name of an experiment's row: the data that the model was trained on.

    The name contains the training's codec unless this is the matrix's codec with the same options.

    Args:
        cell: the experiment.
        tested: an experiment with the matrix's codec.
    """
    row = cell.facts
    kind = kind_of(cell)
    same_codec = trained_on(cell, tested.facts["codec"], tested.options)
    if kind == "level":
        kind = f"{row['train_level']:g}"
        kind = kind if same_codec else f"{row['train_codec']}@{kind}"
    elif kind == "mixed" and not same_codec:
        kind = f"mixed {row['train_codec']}"
    return f"{kind} ({row['parts']} only)" if row["parts"] else kind


def _column(cell: ResultCell) -> str:
    level = cell.facts["level"]
    return UNCOMPRESSED if level is None else f"{level:g}"


def matrix_table(matrix: Matrix) -> Table:
    """Return the matrix as a table for people."""
    rows = []
    for row in matrix.rows:
        texts = []
        for column in matrix.columns:
            measured = matrix.measured(row, column)
            text = "" if measured is None else interval_text(Estimate(measured.value), measured.margin)
            texts.append(f"{text} *" if text and matrix.entries[row, column].matched else text)
        rows.append((row, *texts))
    columns = ("trained on", *(c if c == UNCOMPRESSED else f"{matrix.level_name} {c}" for c in matrix.columns))
    seeds = seeds_note([entry.cell.seeds for entry in matrix.entries.values()])
    notes = ("Columns: tested on. *: trained on data coded as they are tested.", *seeds)
    return Table(columns, tuple(rows), f"{matrix.title}: {matrix.metric}", notes)


def matrix_long(found: Sequence[Matrix]) -> Table:
    """Return the matrices as one table for programs, with a row for each entry."""
    facts = ("task", "model", "weights", "dataset", "split", "codec", "codec_options", "level_name")
    trained = ("training", "train_codec", "train_level", "train_mode", "parts")
    columns = (*facts, *trained, "trained_on", "level", "metric", "value", "ci_low", "ci_high", "seeds", "seeds_margin")
    rows = []
    for matrix in found:
        for (row, _), entry in matrix.entries.items():
            of_cell, measured = entry.cell.facts, entry.measured(matrix.metric)
            values = (
                (measured.metric.value, measured.metric.low, measured.metric.high) if measured else (None, None, None)
            )
            seeds = (entry.cell.seeds, measured.margin if measured else None)
            names = (*(of_cell[name] for name in facts), *(of_cell[name] for name in trained))
            rows.append((*names, row, of_cell["level"], matrix.metric, *values, *seeds))
    return Table(columns, tuple(rows))
