"""Tables of results, mildest level first: `results_table` reads them from a store, and `print_table` writes them.

Tables for people (terminal, Markdown, LaTeX) have one row for each experiment, and the metrics as columns. There is one
such table for each task. Tables for programs (CSV, JSON) have one row for each experiment and metric, and always the
same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.errors import no_such_metric
from harness.results.cells import MeasuredMetric, ResultCell, read_cells
from harness.results.measured import HEADLINE
from harness.results.seeds import average_over_seeds
from harness.results.tables.task import metric_table, task_table
from harness.results.tables.text import FORMATS, Table, render, show
from harness.store import Filters

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store import Store

__all__ = ["FORMATS", "Results", "Table", "print_table", "results_table"]

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
    """Sorted experiments, and the selection of metrics to show.

    Args:
        cells: the experiments.
        asked: the names of the metrics to show; empty for the primary metric and the next metric of the task's list.
        every: whether to show all metrics. Tables for people then have one row for each experiment and metric.
    """

    cells: tuple[ResultCell, ...]
    asked: tuple[str, ...] = ()
    every: bool = False

    def shown(self, cells: Sequence[ResultCell]) -> list[str]:
        """Return the names of the metrics to show for some experiments of one task."""
        names = list(dict.fromkeys(name for cell in cells for name in cell.metrics))
        if self.asked:
            return [name for name in self.asked if name in names]
        if self.every:
            return names
        primary = [name for name in names if any(name in c.metrics and c.metrics[name].is_primary for c in cells)]
        return list(dict.fromkeys([*primary, *names]))[:HEADLINE]

    def by_task(self) -> list[Table]:
        """Return one table for each task, for people. Trainings from several seeds are averaged."""
        groups = (list(group) for _, group in groupby(average_over_seeds(self.cells), lambda cell: cell.facts["task"]))
        create = metric_table if self.every and not self.asked else task_table
        return [create(cells, self.shown(cells)) for cells in groups]

    def long(self) -> Table:
        """Return one table with a row for each experiment and metric, for programs."""
        rows = []
        for _, group in groupby(self.cells, lambda cell: cell.facts["task"]):
            cells = list(group)
            names = self.shown(cells)
            for cell in cells:
                rows += [_long_row(cell, name) for name in names if name in cell.metrics] or [_long_row(cell, None)]
        columns = (
            *_FACTS,
            "metric",
            *_MEASURED,
            *_RATES,
            "compression_ratio",
            "status",
            "reason",
            "finished_at",
            "superseded",
            "dataset_options",
            "compiled",
        )
        return Table(columns, tuple(rows))


def results_table(
    store: Store,
    keys: Sequence[str] | None = None,
    filters: Filters = _ALL,
    metrics: Sequence[str] = (),
    all_metrics: bool = False,
) -> Results:
    """Read experiments from a store, and select the metrics to show.

    Args:
        store: an open store.
        keys: the experiments' keys; None for all experiments.
        filters: selects experiments by columns of the view `results`.
        metrics: the names of the metrics to show; empty for the primary metric and the next metric of the task's list.
        all_metrics: whether to show every metric.

    Raises:
        UsageError: none of the experiments has one of the metrics.
    """
    if keys is not None and not keys:
        return Results(())
    selection = dict(filters.columns) | ({"experiment": list(keys)} if keys is not None else {})
    chosen = metrics or (None if all_metrics else "headline")
    cells = read_cells(store, Filters(selection), chosen)
    if set(metrics) - {name for cell in cells for name in cell.metrics}:
        cells = read_cells(store, Filters(selection))  # to name all that there are
        known = dict.fromkeys(name for cell in cells for name in cell.metrics)
        if known and (missing := [name for name in metrics if name not in known]):
            raise no_such_metric(missing[0], list(known))
    return Results(tuple(cells), tuple(metrics), all_metrics)


def print_table(results: Results | Table, format: str = "table", console: Console | None = None) -> None:
    """Print results.

    Args:
        results: results of `results_table`, or any table.
        format: one of `FORMATS`.
        console: where the results are printed; default: standard output. A terminal gets a formatted table, and any
            other output gets plain text without line wrapping.
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
    return (
        *(cell.facts[name] for name in _FACTS),
        metric,
        *_measured_row(cell.metrics[metric] if metric is not None else None),
        *(cell.facts[name] for name in _RATES),
        cell.compression_ratio,
        cell.facts["status"],
        cell.reason,
        cell.facts["finished_at"],
        cell.superseded,
        cell.facts["dataset_options"],
        cell.facts["compiled"],
    )


def _measured_row(measured: MeasuredMetric | None) -> tuple[Any, ...]:
    """Return the values of the columns `_MEASURED`."""
    if measured is None:
        return (None,) * len(_MEASURED)
    metric, drop = measured.metric, measured.drop
    ends = (metric.value, metric.low, metric.high, drop.value, drop.low, drop.high)
    return (*ends, measured.is_primary, measured.higher_is_better)
