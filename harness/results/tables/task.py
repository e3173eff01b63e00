"""The table of one task for people, with only the columns that have content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.results.tables.columns import failure_columns, identifying_columns, rate_columns, series_of
from harness.results.tables.notes import few_samples_notes, sample_count_notes, seeds_note, unjudged_frames_note
from harness.results.tables.numbers import interval_text
from harness.results.tables.profile_names import profile_notes
from harness.results.tables.text import Table
from harness.results.tables.wide import drops_shown, wide_note

if TYPE_CHECKING:
    from harness.results.cells import MeasuredMetric, ResultCell

__all__ = ["metric_table", "task_table"]


def task_table(cells: Sequence[ResultCell], metrics: Sequence[str]) -> Table:
    """Return the table of one task with a row for each experiment. The title says what all rows have in common.

    Args:
        cells: the task's experiments, in the order of the rows.
        metrics: the names of the metrics to show.
    """
    same, columns = identifying_columns(cells)
    has_drops = False
    for name in metrics:
        measured = [cell.metrics.get(name) for cell in cells]
        columns.append((name, ["" if m is None else _value_of(m) for m in measured]))
        if any(m is not None and (m.is_primary or len(metrics) == 1) for m in measured):
            drops = [_drop(cell, m) for cell, m in zip(cells, measured, strict=True)]
            columns.append((f"{name} drop", drops))
            has_drops = has_drops or any(drops)
    intervals = any("[" in text for _, values in columns for text in values)
    columns += rate_columns(cells) + failure_columns(cells)
    rows = tuple(zip(*(values for _, values in columns), strict=True))
    title = f"{cells[0].facts['task']}: {' '.join(same)}".removesuffix(": ")
    return Table(tuple(name for name, _ in columns), rows, title, _notes(cells, metrics, intervals, has_drops))


def metric_table(cells: Sequence[ResultCell], metrics: Sequence[str]) -> Table:
    """Return the table of one task with a row for each metric and experiment.

    It has few columns, however many metrics there are.

    Args:
        cells: the task's experiments, in the order of the rows of each metric.
        metrics: the names of the metrics to show. An experiment without any of them has one row.
    """
    same, columns = identifying_columns(cells)
    failures = failure_columns(cells)
    rows: list[tuple[str, ...]] = []
    for name in (*metrics, None):
        for number, cell in enumerate(cells):
            measured = None if name is None else cell.metrics.get(name)
            if measured is None and (name is not None or any(metric in cell.metrics for metric in metrics)):
                continue
            value_and_drop = ("", "") if measured is None else (_value_of(measured), _drop(cell, measured))
            names = (values[number] for _, values in columns)
            rows.append((name or "", *names, *value_and_drop, *(values[number] for _, values in failures)))
    heads = ("metric", *(head for head, _ in columns), "value", "drop", *(head for head, _ in failures))
    intervals = any("[" in text for row in rows for text in row)
    title = f"{cells[0].facts['task']}: {' '.join(same)}".removesuffix(": ")
    drop = len(columns) + 2
    notes = _notes(cells, metrics, intervals, any(row[drop] for row in rows), with_rates=False)
    if not any(row[drop] for row in rows):
        heads, rows = heads[:drop] + heads[drop + 1 :], [row[:drop] + row[drop + 1 :] for row in rows]
    return Table(heads, tuple(rows), title, notes)


def _value_of(measured: MeasuredMetric) -> str:
    return interval_text(measured.metric, measured.margin)


def _drop(cell: ResultCell, measured: MeasuredMetric | None) -> str:
    if measured is None or measured.drop.value is None or cell.is_baseline:
        return ""
    return interval_text(measured.drop, measured.drop_margin)


def _notes(
    cells: Sequence[ResultCell], metrics: Sequence[str], intervals: bool, has_drops: bool, with_rates: bool = True
) -> tuple[str, ...]:
    notes = sample_count_notes(cells)
    if intervals:
        notes.append("[ ]: 95% interval.")
        notes += few_samples_notes(cells)
        notes += wide_note(drops_shown(cells, metrics))
    notes += unjudged_frames_note(cells)
    notes += profile_notes(cells)
    notes += seeds_note([cell.seeds for cell in cells])
    if any(series_of(cells)):
        notes.append("series: tells trainings of one name apart, by their recipe or by the weights they started from.")
    if has_drops:
        notes.append("drop: against none, paired by sample; positive is worse.")
    if with_rates:
        notes.append("comp. ratio: compression ratio, 24 bits per pixel over bpp.")
    return (" ".join(notes),)
