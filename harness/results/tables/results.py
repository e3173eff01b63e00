"""Results as tables: one row an experiment, its metrics side by side, mildest level first.

`results_table` asks a store, `print_table` writes. Tables for people (terminal, Markdown, LaTeX) are one for each task,
with its metrics as columns; CSV and JSON have one row for each experiment and metric, and columns that never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.errors import no_such_metric
from harness.results.cells import ResultCell, read_cells
from harness.results.seeds import average_over_seeds
from harness.results.tables.task import metric_table, task_table
from harness.results.tables.text import FORMATS, Table, render, show
from harness.store import Filters

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store import Store

__all__ = ["FORMATS", "Results", "Table", "print_table", "results_table"]

_HEADLINE = 2
"""How many of a task's metrics are shown unless some are asked for: a task lists its most telling ones first."""

_ALL = Filters()

_FACTS = (
    *("experiment", "run", "task", "model", "weights", "dataset", "split", "reference", "seed"),
    *("training", "train_codec", "train_level", "train_mode", "parts"),
    *("planned_samples", "precision", "batch"),
    *("codec", "codec_options", "level_name", "level"),
)
_MEASURED = ("value", "ci_low", "ci_high", "drop", "drop_ci_low", "drop_ci_high", "is_primary", "higher_is_better")
_RATES = ("bpp", "kbps", "bytes", "psnr", "encode_ms", "decode_ms", "samples", "failed_samples", "seconds")


@dataclass(frozen=True)
class Results:
    """Experiments in order, and which of their metrics to show.

    Args:
        cells: the experiments.
        asked: names of metrics; none: the primary one and the next that the task lists.
        every: show all metrics, for people in rows below each other.
    """

    cells: tuple[ResultCell, ...]
    asked: tuple[str, ...] = ()
    every: bool = False

    def shown(self, cells: Sequence[ResultCell]) -> list[str]:
        """The metrics to show of some experiments of one task."""
        names = list(dict.fromkeys(name for cell in cells for name in cell.metrics))
        if self.asked:
            return [name for name in self.asked if name in names]
        if self.every:
            return names
        primary = [name for name in names if any(name in c.metrics and c.metrics[name].is_primary for c in cells)]
        return list(dict.fromkeys([*primary, *names]))[:_HEADLINE]

    def by_task(self) -> list[Table]:
        """One table for each task, for people; of trainings from several seeds it has the means."""
        groups = (list(group) for _, group in groupby(average_over_seeds(self.cells), lambda cell: cell.facts["task"]))
        made = metric_table if self.every and not self.asked else task_table
        return [made(cells, self.shown(cells)) for cells in groups]

    def long(self) -> Table:
        """One row for each experiment and metric, for programs."""
        rows = []
        for _, group in groupby(self.cells, lambda cell: cell.facts["task"]):
            cells = list(group)
            names = self.shown(cells)
            for cell in cells:
                rows += [_long_row(cell, name) for name in names if name in cell.metrics] or [_long_row(cell, None)]
        columns = (*_FACTS, "metric", *_MEASURED, *_RATES, "compression_ratio", "status", "reason", "finished_at")
        return Table(columns, tuple(rows))


def results_table(
    store: Store,
    keys: Sequence[str] | None = None,
    filters: Filters = _ALL,
    metrics: Sequence[str] = (),
    all_metrics: bool = False,
) -> Results:
    """What a store has of some experiments.

    Args:
        store: an open store.
        keys: the experiments; None for all.
        filters: on the columns of the view `results`.
        metrics: those to show; none: the primary one and the next that the task lists.
        all_metrics: show every metric.

    Raises:
        UsageError: a metric that none of the experiments has.
    """
    if keys is not None and not keys:
        return Results(())
    wanted = dict(filters.columns) | ({"experiment": list(keys)} if keys is not None else {})
    cells = read_cells(store, Filters(wanted))
    known = dict.fromkeys(name for cell in cells for name in cell.metrics)
    for name in metrics:
        if known and name not in known:
            raise no_such_metric(name, list(known))
    return Results(tuple(cells), tuple(metrics), all_metrics)


def print_table(results: Results | Table, format: str = "table", console: Console | None = None) -> None:
    """Write results to standard output.

    Args:
        results: from `results_table`, or any table.
        format: one of `FORMATS`.
        console: where to; a terminal gets a drawn table, everything else plain text that is never wrapped.
    """
    if isinstance(results, Table):
        tables = [results]
    else:
        tables = [results.long()] if format in ("csv", "json") else results.by_task()
    if console is None:
        from rich.console import Console

        console = Console(highlight=False)
    for number, table in enumerate(tables):
        if number:
            console.file.write("\n")
        if format == "table" and console.is_terminal:
            show(table, console)
        else:
            console.file.write(render(table, format))


def _long_row(cell: ResultCell, metric: str | None) -> tuple[Any, ...]:
    measured = cell.metrics[metric] if metric is not None else None
    return (
        *(cell.facts[name] for name in _FACTS),
        metric,
        *(getattr(measured, name, None) for name in _MEASURED),
        *(cell.facts[name] for name in _RATES),
        cell.compression_ratio,
        cell.facts["status"],
        cell.reason,
        cell.facts["finished_at"],
    )
