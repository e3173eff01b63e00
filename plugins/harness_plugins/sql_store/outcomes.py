"""The results of an experiment: totals, metrics and comparisons; and reading the views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.records import Comparison
from harness_plugins.sql_store.claims import held_ids, status_now
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.runs import now_text
from harness_plugins.sql_store.schema import comparisons, experiments, metrics
from harness_plugins.sql_store.views import BOOLEANS, VIEWS, columns_of

if TYPE_CHECKING:
    from harness.records import Claim, MetricValue, Totals
    from harness.store import Filters

__all__ = ["compare", "finish", "read_comparisons", "read_view", "uncompared"]


def finish(
    connection: sa.Connection,
    key: str,
    claim: Claim,
    totals: Totals,
    values: Sequence[MetricValue],
    failed: str | None,
) -> None:
    """Write an experiment's totals and metrics, and give up the claim on it."""
    number = held_ids(connection, [key], claim)[key]
    real = ("bpp", "bpp_mean", "kbps", "psnr", "source_bpp", "encode_ms", "decode_ms", "seconds")
    connection.execute(
        sa.update(experiments)
        .where(experiments.c.id == number)
        .values(
            status="failed" if failed is not None else "finished",
            reason=failed,
            run=claim.run,
            finished_at=now_text(),
            lease_until=None,
            samples=int(totals.samples),
            failed_samples=int(totals.failed),
            bits=None if totals.bits is None else int(totals.bits),
            pixels=None if totals.pixels is None else int(totals.pixels),
            groups=totals.groups,
            frames=None if totals.frames is None else int(totals.frames),
            interval_method=totals.interval_method,
            resamples=totals.resamples,
            interval_seed=totals.interval_seed,
            **{name: _finite(getattr(totals, name)) for name in real},
        )
    )
    connection.execute(sa.delete(metrics).where(metrics.c.experiment == key))
    if values:
        connection.execute(sa.insert(metrics), [_metric(key, place, value) for place, value in enumerate(values)])


def uncompared(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    """Return the keys of finished experiments whose baseline is finished too, but whose drop is not stored yet."""
    experiment, baseline = experiments.alias("one"), experiments.alias("other")
    c = comparisons.c
    drop = sa.exists().where(c.experiment == experiment.c.key, c.other == baseline.c.key, c.kind == "drop")
    without_drop: set[str] = set()
    for batch in chunks(keys):
        query = (
            sa.select(experiment.c.key)
            .join(baseline, baseline.c.key == experiment.c.baseline)
            .where(
                experiment.c.key.in_(batch), experiment.c.status == "finished", baseline.c.status == "finished", ~drop
            )
        )
        without_drop.update(connection.scalars(query))
    return without_drop


def compare(connection: sa.Connection, found: Sequence[Comparison]) -> None:
    """Store comparisons. A stored comparison of the same two experiments, metric and kind is replaced."""
    if not found:
        return
    c = comparisons.c
    rows = [
        {
            "experiment": comparison.key,
            "other": comparison.other,
            "metric": comparison.metric,
            "kind": comparison.kind,
            "value": _finite(comparison.value),
            "ci_low": _finite(comparison.ci_low),
            "ci_high": _finite(comparison.ci_high),
            "n": int(comparison.n),
            "reason": _reason(comparison.reason, comparison.value),
        }
        for comparison in found
    ]
    names = ("experiment", "other", "metric", "kind")
    same = sa.and_(*(c[name] == sa.bindparam(f"its_{name}") for name in names))
    connection.execute(sa.delete(comparisons).where(same), [{f"its_{n}": row[n] for n in names} for row in rows])
    connection.execute(sa.insert(comparisons), rows)


def read_comparisons(connection: sa.Connection, key: str) -> list[Comparison]:
    """Return all comparisons of an experiment with other experiments."""
    query = sa.select(comparisons).where(comparisons.c.experiment == key)
    result = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        result.append(Comparison(key=values.pop("experiment"), **values))
    return result


def read_view(connection: sa.Connection, name: str, filters: Filters) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the column names and the rows of a view.

    Rows are in the order in which the experiments were registered, then in the order of the task's metrics. A running
    experiment whose claim has lapsed has the status `interrupted`.

    Raises:
        StoreError: there is no such view, or a filter names a column that the view lacks.
    """
    if name not in VIEWS:
        raise StoreError(f"there is no view {name!r}. There is: {', '.join(VIEWS)}.")
    columns = columns_of(connection, name)
    if unknown := [column for column in filters.columns if column not in columns]:
        raise StoreError(f"view {name} has no column {unknown[0]!r}. Its columns: {', '.join(columns)}.")
    view = sa.table(name, *(sa.column(column) for column in columns))
    query = _ordered(sa.select(view), view)
    for column, allowed in filters.columns.items():
        if allowed and not (name == "results" and column == "status"):
            query = query.where(_is_one_of(view.c[column], allowed))
    rows = [list(row) for row in connection.execute(query)]
    for place, column in enumerate(columns):
        if column in BOOLEANS:
            for row in rows:
                row[place] = None if row[place] is None else bool(row[place])
    if name == "results":
        rows = _with_status(connection, columns, rows, filters.columns.get("status", ()))
    return columns, [tuple(row) for row in rows]


def _ordered(query: sa.Select[Any], view: sa.TableClause) -> sa.Select[Any]:
    """Give the query a fixed order; the views themselves have no order."""
    query = query.join(experiments, experiments.c.key == view.c.experiment)
    if "metric" not in view.c:
        return query.order_by(experiments.c.id)  # samples of one experiment are stored by index
    same = sa.and_(metrics.c.experiment == view.c.experiment, metrics.c.metric == view.c.metric)
    return query.outerjoin(metrics, same).order_by(experiments.c.id, metrics.c.position)


def _is_one_of(column: sa.ColumnClause[Any], allowed: Sequence[object]) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of the allowed values; None stands for NULL."""
    non_null = [value for value in allowed if value is not None]
    return sa.or_(column.in_(non_null), column.is_(None)) if len(non_null) < len(allowed) else column.in_(non_null)


def _with_status(
    connection: sa.Connection, columns: list[str], rows: list[list[Any]], allowed: Sequence[object]
) -> list[list[Any]]:
    """Set the current status of each row, and keep only rows with an allowed status (all, if `allowed` is empty)."""
    e = experiments.c
    query = sa.select(e.key, e.status, e.owner, e.lease, e.lease_until).where(e.status == "running")
    current = {
        row.key: status_now(row.status, row.owner, row.lease, row.lease_until) for row in connection.execute(query)
    }
    key, status = columns.index("experiment"), columns.index("status")
    for row in rows:
        row[status] = current.get(row[key], row[status])
    return [row for row in rows if not allowed or row[status] in allowed]


def _metric(key: str, place: int, value: MetricValue) -> dict[str, Any]:
    """Return the columns of the table `metrics` for a metric; `place` is its position among the experiment's
    metrics."""
    return {
        "experiment": key,
        "metric": value.metric,
        "position": place,
        "value": _finite(value.value),
        "ci_low": _finite(value.ci_low),
        "ci_high": _finite(value.ci_high),
        "n": int(value.n),
        "is_primary": bool(value.is_primary),
        "higher_is_better": bool(value.higher_is_better),
        "unit": value.unit,
        "reason": _reason(value.reason, value.value),
    }


def _finite(value: float | None) -> float | None:
    """Return the number as a Python float; None for NaN and infinity, which the database does not store."""
    return None if value is None or not math.isfinite(value) else float(value)


def _reason(reason: str | None, value: float | None) -> str | None:
    """Return the reason, or "undefined" for a missing value without a reason: NULL always has a reason."""
    return reason or ("undefined" if _finite(value) is None else None)
