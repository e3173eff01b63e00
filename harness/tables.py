"""Results as tables: one row an experiment, its metrics side by side, mildest level first.

`results_table` asks a store, `print_table` writes. Tables for people (terminal, Markdown, LaTeX) are one for each task,
with its metrics as columns; CSV and JSON have one row for each experiment and metric, and columns that never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, closest
from harness.result_cells import Cell, Measured, read_cells
from harness.store import Filters
from harness.text_tables import FORMATS, Table, render, show

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
        every: show all metrics.
    """

    cells: tuple[Cell, ...]
    asked: tuple[str, ...] = ()
    every: bool = False

    def shown(self, cells: Sequence[Cell]) -> list[str]:
        """The metrics to show of some experiments of one task."""
        names = list(dict.fromkeys(name for cell in cells for name in cell.metrics))
        if self.asked:
            return [name for name in self.asked if name in names]
        if self.every:
            return names
        primary = [name for name in names if any(name in c.metrics and c.metrics[name].is_primary for c in cells)]
        return list(dict.fromkeys([*primary, *names]))[:_HEADLINE]

    def by_task(self) -> list[Table]:
        """One table for each task, for people."""
        groups = (list(group) for _, group in groupby(self.cells, lambda cell: cell.facts["task"]))
        return [_task_table(cells, self.shown(cells)) for cells in groups]

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
            near = closest(name, list(known))
            hint = f" Did you mean {near!r}?" if near else ""
            raise UsageError(f"no such metric {name!r} in these results.{hint} There is: {', '.join(known)}.")
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


def _long_row(cell: Cell, metric: str | None) -> tuple[Any, ...]:
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


def _task_table(cells: Sequence[Cell], names: Sequence[str]) -> Table:
    """The table of one task: what is the same in every row stands in the title."""
    first = cells[0].facts
    columns: dict[str, list[str]] = {}
    title = [f"{first['task']}:"]
    for name, values in _conditions(cells).items():
        if len(set(values)) > 1:
            columns[name] = values
        elif name in ("model", "data"):
            title.append(("on " if name == "data" else "") + values[0])
    columns["codec"] = _codec_names(cells)
    units = {cell.facts["level_name"] for cell in cells} - {None}
    one_unit = len(units) == 1
    columns[units.pop() if one_unit else "level"] = [_level(cell, one_unit) for cell in cells]
    for name in names:
        found = [cell.metrics.get(name) for cell in cells]
        columns[name] = ["" if m is None else _interval(m.value, m.ci_low, m.ci_high) for m in found]
        if any(m is not None and (m.is_primary or len(names) == 1) for m in found):
            columns[f"{name} drop"] = [_drop(cell, m) for cell, m in zip(cells, found, strict=True)]
    columns |= _rates(cells)
    columns |= _troubles(cells)
    rows = tuple(zip(*columns.values(), strict=True))
    return Table(tuple(columns), rows, " ".join(title).removesuffix(":"), _notes(cells, columns))


def _conditions(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """What the experiments of a task may differ in besides the codec."""
    rows = [cell.facts for cell in cells]
    return {
        "model": [str(row["model"]) for row in rows],
        "weights": [str(row["weights"]) for row in rows],
        "data": [f"{row['dataset']}/{row['split']}" for row in rows],
        "reference": [str(row["reference"]) for row in rows],
        "seed": [str(row["seed"]) for row in rows],
        "training": [_training(cell) for cell in cells],
    }


def _training(cell: Cell) -> str:
    row = cell.facts
    if row["training"] == "pretrained":
        return "pretrained"
    level = "" if row["train_level"] is None else f"@{row['train_level']:g}"
    coded = f" {row['train_codec']}{level}" if row["train_codec"] else ""
    mode = f" ({row['train_mode']})" if row["train_mode"] else ""
    parts = f", {row['parts']} only" if row["parts"] else ""
    return f"{row['training']}{coded}{mode}{parts}"


def _codec_names(cells: Sequence[Cell]) -> list[str]:
    """Each codec with those of its options that differ within the table."""
    values: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        for option, value in cell.options.items():
            values.setdefault((cell.facts["codec"], option), set()).add(str(value))
    names = []
    for cell in cells:
        codec, options = cell.facts["codec"], cell.options
        differing = [f"{o}={v}" for o, v in options.items() if o != "intra" and len(values[codec, o]) > 1]
        name = codec + (":" + ",".join(differing) if differing else "")
        names.append(name + (" (intra)" if options.get("intra") is True else ""))
    return names


def _level(cell: Cell, one_unit: bool) -> str:
    level = cell.facts["level"]
    if level is None:
        return ""
    return f"{level:g}" if one_unit else f"{cell.facts['level_name']} {level:g}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """ "0.482 [0.451, 0.513]", with as many decimals as its size calls for."""
    if value is None:
        return "undefined"
    digits = _digits(value)
    text = _fixed(value, digits)
    return text if low is None or high is None else f"{text} [{_fixed(low, digits)}, {_fixed(high, digits)}]"


def _drop(cell: Cell, measured: Measured | None) -> str:
    if measured is None or measured.drop is None or (cell.facts["codec"] == "none" and measured.drop == 0):
        return ""
    return _interval(measured.drop, measured.drop_ci_low, measured.drop_ci_high)


def _fixed(value: float, digits: int) -> str:
    """The number with so many decimals; never "-0.000"."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _digits(value: float) -> int:
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1


def _rates(cells: Sequence[Cell]) -> dict[str, list[str]]:
    def column(values: Sequence[float | None]) -> list[str]:
        return ["" if value is None else f"{value:.{_digits(value)}f}" for value in values]

    rows = [cell.facts for cell in cells]
    columns = {
        "bpp": column([row["bpp"] for row in rows]),
        "ratio": ["" if (ratio := cell.compression_ratio) is None else f"{ratio:.1f}" for cell in cells],
    }
    for name in ("kbps", "psnr"):
        if any(row[name] is not None for row in rows):
            columns["PSNR" if name == "psnr" else name] = column([row[name] for row in rows])
    return columns


def _troubles(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """Columns for what did not go well, where there is any."""
    columns = {}
    if any(cell.facts["failed_samples"] for cell in cells):
        columns["failed samples"] = [str(cell.facts["failed_samples"] or 0) for cell in cells]
    if any(cell.facts["status"] != "finished" for cell in cells):
        columns["status"] = [cell.facts["status"] + (f": {cell.reason}" if cell.reason else "") for cell in cells]
    return columns


def _notes(cells: Sequence[Cell], columns: dict[str, list[str]]) -> tuple[str, ...]:
    counts = {cell.facts["samples"] for cell in cells} - {None}
    notes = []
    if len(counts) == 1:
        notes.append(f"{counts.pop()} samples.")
    if any("[" in text for name, texts in columns.items() for text in texts if name != "status"):
        notes.append("[ ]: 95% interval.")
    if any(name.endswith(" drop") for name in columns):
        notes.append("drop: against none, paired by sample; positive is worse.")
    notes.append("ratio: 24 bits per pixel over bpp.")
    return (" ".join(notes),)
