"""Reads the metrics of experiments from a store: all of them, or those that a table shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.results.view_columns import NUMERIC, view_columns
from harness.statistics.estimate import UNKNOWN, Estimate
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["HEADLINE", "MeasuredMetric", "checked", "headline", "read_measured"]

HEADLINE = 2
"""The number of metrics that are shown by default. A task lists its most important metrics first."""

_MANY = 500
"""The number of experiments that are looked up together."""

_VALUES = ("experiment", "metric", "value", "ci_low", "ci_high", "is_primary", "higher_is_better")
_DROPS = ("experiment", "metric", "drop", "drop_ci_low", "drop_ci_high", "source_bpp")


@dataclass(frozen=True)
class MeasuredMetric:
    """One metric of one experiment.

    Args:
        metric: the value, with its 95% interval over the samples.
        is_primary: whether the metric is the task's primary metric.
        higher_is_better: whether a larger value is better.
        drop: the drop against the baseline, with its paired 95% interval; positive if the model got worse.
        margin: half the width of the 95% interval of the value over the seeds of a training; None for a single seed.
        drop_margin: half the width of the 95% interval of the drop over the seeds; None for a single seed.
    """

    metric: Estimate
    is_primary: bool
    higher_is_better: bool
    drop: Estimate = UNKNOWN
    margin: float | None = None
    drop_margin: float | None = None

    @property
    def value(self) -> float | None:
        """The metric's value; None if it is undefined."""
        return self.metric.value


def read_measured(
    store: Store, filters: Filters, metrics: Sequence[str] | None
) -> Iterator[tuple[str, str, MeasuredMetric, float | None]]:
    """Yield the metrics of experiments: the experiment's key, the metric's name, the metric, and the source's rate.

    The rate is that of the source files in bits per pixel; None if it is unknown or the experiment is not finished.

    Args:
        store: an open store.
        filters: selects experiments by columns of the view `results`.
        metrics: the names of the metrics to read; None for all.
    """
    chosen = filters if metrics is None else Filters({**filters.columns, "metric": list(metrics) or [""]})
    drops = _drops(store, chosen)
    for key, name, value, low, high, primary, higher in checked(store, "results", _VALUES, chosen):
        if name is not None:
            drop, source = drops.get((key, name), (UNKNOWN, None))
            yield key, name, MeasuredMetric(Estimate(value, low, high), bool(primary), bool(higher), drop), source


def _drops(store: Store, filters: Filters) -> dict[tuple[str, str], tuple[Estimate, float | None]]:
    """Return the drop of each metric and the source's rate, by the experiment's key and the metric's name."""
    without_status = Filters({column: allowed for column, allowed in filters.columns.items() if column != "status"})
    rows = checked(store, "curves", _DROPS, without_status)
    return {(key, name): (Estimate(value, low, high), source) for key, name, value, low, high, source in rows}


def headline(store: Store, filters: Filters, facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics that tables show by default: of each task the primary one and the next one of its list.

    Args:
        store: an open store.
        filters: selects experiments by columns of the view `results`.
        facts: rows of the view `results` without the metric, one for each selected experiment, sorted by task.
    """
    primaries: dict[str, list[str]] = {}
    primary = Filters({**filters.columns, "is_primary": [True]})
    for key, name in store.read("results", ("experiment", "metric"), primary):
        primaries.setdefault(key, []).append(name)
    chosen: dict[str, None] = {}
    for _, group in groupby(facts, lambda row: row["task"]):
        keys = [row["experiment"] for row in group]
        names = dict.fromkeys(name for key in keys for name in primaries.get(key, ()))
        start, count = 0, 1  # most often the first experiment has all
        while len(names) < HEADLINE and start < len(keys):
            names |= dict.fromkeys(_names(store, keys[start : start + count]))
            start, count = start + count, _MANY
        chosen |= dict.fromkeys(list(names)[:HEADLINE])
    return list(chosen)


def _names(store: Store, keys: Sequence[str]) -> list[str]:
    """Return the names of the metrics of some experiments, in the order of the keys."""
    of_each: dict[str, list[str]] = {key: [] for key in keys}
    for key, name in store.read("results", ("experiment", "metric"), Filters({"experiment": list(keys)})):
        if name is not None:
            of_each[key].append(name)
    return [name for names in of_each.values() for name in names]


def checked(
    store: Store, view: str, columns: Sequence[str], filters: Filters, distinct: bool = False
) -> Iterator[tuple[Any, ...]]:
    """Yield columns of a view, as `Store.read` does, and check the values.

    Raises:
        StoreError: a column of numbers holds a text, or the other way round.
    """
    known = view_columns()[view]
    expected = [known[column].type in NUMERIC for column in columns]
    sound: set[tuple[type, ...]] = set()
    for row in store.read(view, columns, filters, distinct):
        types = tuple(map(type, row))
        if types not in sound:
            for column, value, number in zip(columns, row, expected, strict=True):
                if value is not None and isinstance(value, int | float) != number:
                    raise StoreError(f"the database is damaged: column {column} of view {view} holds {value!r:.50}.")
            sound.add(types)
        yield row
