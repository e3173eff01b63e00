"""Tables of how much of the loss retraining recovers: one row for each training, codec and level.

A training from several seeds has one row with the mean over the seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.errors import no_such_metric
from harness.results.cells import ResultCell, sort_cells
from harness.results.naming import training_words
from harness.results.seeds import mean_or_none, seeds_margin
from harness.results.tables.columns import identifying_columns
from harness.results.tables.notes import seeds_note
from harness.results.tables.numbers import interval_text
from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate

if TYPE_CHECKING:
    from harness.store import Filters, Store

__all__ = ["read_recovery", "recovery_long", "recovery_tables"]

Row = Mapping[str, Any]

_VALUES = ("pretrained", "retrained", "clean")
_INTERVALS = ("gain", "recovery", "net_recovery", "study_gain", "cost_on_none")

_NOTES = (
    "gain: retrained - pretrained, positive is better. recovery: gain over what the pretrained model lost against "
    "uncompressed data, as a share (1: all of it); net_recovery: the same against `clean`, the model trained as long "
    "on uncompressed data. study_gain: gain / retrained, or gain / pretrained where lower is better. cost_on_none: by "
    "how much the retrained model is worse on uncompressed data. [ ]: 95% interval, paired by sample."
)
_NO_SHARE = "-: no share of a loss that is not significantly above 0 (the view's column `reason` has it)."


def read_recovery(store: Store, filters: Filters, metrics: Sequence[str] = ()) -> list[Row]:
    """Read the rows of the view `recovery` that have a retrained experiment, sorted for display.

    Args:
        store: an open store.
        filters: selects rows by columns of the view.
        metrics: the names of the metrics to read; empty for each task's primary metric.

    Raises:
        UsageError: no row has one of the metrics.
    """
    columns, values = store.view("recovery", filters)
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    rows = [row for row in rows if row["retrained_experiment"] is not None]
    known = list(dict.fromkeys(row["metric"] for row in rows))
    for name in metrics:
        if known and name not in known:
            raise no_such_metric(name, known)
    chosen = [row for row in rows if (row["metric"] in metrics if metrics else row["is_primary"])]
    return [cell.facts for cell in sort_cells([ResultCell({**row, "training": "retrained"}, {}) for row in chosen])]


def recovery_long(rows: Sequence[Row]) -> Table:
    """Return the rows unchanged as a table for programs, with one row for each seed of a training."""
    columns = tuple(name for name in rows[0] if name != "training") if rows else ()
    return Table(columns, tuple(tuple(row[name] for name in columns) for row in rows))


def recovery_tables(rows: Sequence[Row]) -> list[Table]:
    """Return one table for each task and metric, for people. Seeds of a training are averaged."""
    ordered = sorted(rows, key=lambda row: (row["task"], row["metric"]))
    groups = groupby(ordered, key=lambda row: (row["task"], row["metric"]))
    return [_table(metric, list(group)) for (_, metric), group in groups]


def _table(metric: str, rows: Sequence[Row]) -> Table:
    by_training: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_training.setdefault((row["experiment"], row["series"] or row["retrained_experiment"]), []).append(row)
    groups = list(by_training.values())
    seeds = [", ".join(str(seed) for seed in sorted(row["seed"] for row in group)) for group in groups]
    facts = [
        {**group[0], "cell": group[0]["experiment"], "seed": text} for group, text in zip(groups, seeds, strict=True)
    ]
    same, columns = identifying_columns([ResultCell(row, {}) for row in facts])
    if not any(name == "training" for name, _ in columns):
        columns.insert(0, ("training", [training_words(ResultCell(group[0], {})) for group in groups]))
    columns += [(name, [_value(group, name) for group in groups]) for name in _VALUES]
    columns += [(name, [_interval(group, name) for group in groups]) for name in _INTERVALS]
    columns = [(name, texts) for name, texts in columns if any(texts)]
    title = f"{rows[0]['task']}: {' '.join(same)}: {metric}"
    notes = [_NOTES]
    if any(text == "-" for _, texts in columns for text in texts):
        notes.append(_NO_SHARE)
    notes += seeds_note([len(group) for group in groups])
    cells = tuple(zip(*(texts for _, texts in columns), strict=True))
    return Table(tuple(name for name, _ in columns), cells, title, (" ".join(notes),))


def _value(group: Sequence[Row], name: str) -> str:
    values = [row[name] for row in group]
    mean = mean_or_none(values)
    return "" if mean is None else interval_text(Estimate(mean), None if name == "pretrained" else seeds_margin(values))


def _interval(group: Sequence[Row], name: str) -> str:
    """Return the mean of a quantity over the seeds, with its interval, as text.

    If there is no mean, the text is "-" for a share that is undefined (the view has the reason), and "" for a quantity
    that was not measured. For example, `net_recovery` needs a model that was trained on uncompressed data.
    """
    values = [row[name] for row in group]
    mean = mean_or_none(values)
    if mean is None:
        possible = name in ("recovery", "study_gain") or (name == "net_recovery" and group[0]["clean"] is not None)
        return "-" if possible else ""
    low, high = (mean_or_none([row[f"{name}_{end}"] for row in group]) for end in ("ci_low", "ci_high"))
    return interval_text(Estimate(mean, low, high), seeds_margin(values))
