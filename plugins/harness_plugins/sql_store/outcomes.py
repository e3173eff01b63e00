"""What came of an experiment: totals, metrics, comparisons; and the views over them."""

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
    """Write totals and metrics, and give the claim up."""
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
            interval_method=totals.interval_method,
            resamples=totals.resamples,
            interval_seed=totals.interval_seed,
            **{name: _real(getattr(totals, name)) for name in real},
        )
    )
    connection.execute(sa.delete(metrics).where(metrics.c.experiment == key))
    if values:
        connection.execute(sa.insert(metrics), [_metric(key, place, value) for place, value in enumerate(values)])


def uncompared(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    """Finished experiments with a finished baseline and no drop against it."""
    one, other = experiments.alias("one"), experiments.alias("other")
    c = comparisons.c
    drop = sa.exists().where(c.experiment == one.c.key, c.other == other.c.key, c.kind == "drop")
    found: set[str] = set()
    for some in chunks(keys):
        query = (
            sa.select(one.c.key)
            .join(other, other.c.key == one.c.baseline)
            .where(one.c.key.in_(some), one.c.status == "finished", other.c.status == "finished", ~drop)
        )
        found.update(connection.scalars(query))
    return found


def compare(connection: sa.Connection, found: Sequence[Comparison]) -> None:
    """Write comparisons in place of older ones of the same pair, metric and kind."""
    if not found:
        return
    c = comparisons.c
    rows = [
        {
            "experiment": one.key,
            "other": one.other,
            "metric": one.metric,
            "kind": one.kind,
            "value": _real(one.value),
            "ci_low": _real(one.ci_low),
            "ci_high": _real(one.ci_high),
            "n": int(one.n),
            "reason": _reason(one.reason, one.value),
        }
        for one in found
    ]
    names = ("experiment", "other", "metric", "kind")
    same = sa.and_(*(c[name] == sa.bindparam(f"its_{name}") for name in names))
    connection.execute(sa.delete(comparisons).where(same), [{f"its_{n}": row[n] for n in names} for row in rows])
    connection.execute(sa.insert(comparisons), rows)


def read_comparisons(connection: sa.Connection, key: str) -> list[Comparison]:
    """What an experiment was compared with."""
    query = sa.select(comparisons).where(comparisons.c.experiment == key)
    found = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        found.append(Comparison(key=values.pop("experiment"), **values))
    return found


def read_view(connection: sa.Connection, name: str, filters: Filters) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of a view, by experiment in order of registration, then metric as its task lists them.

    A running experiment whose process is gone reads `interrupted`.
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
            query = query.where(_among(view.c[column], allowed))
    rows = [list(row) for row in connection.execute(query)]
    for place, column in enumerate(columns):
        if column in BOOLEANS:
            for row in rows:
                row[place] = None if row[place] is None else bool(row[place])
    if name == "results":
        rows = _with_status(connection, columns, rows, filters.columns.get("status", ()))
    return columns, [tuple(row) for row in rows]


def _ordered(query: sa.Select[Any], view: sa.TableClause) -> sa.Select[Any]:
    """In an order that stays: the views themselves have none."""
    query = query.join(experiments, experiments.c.key == view.c.experiment)
    if "metric" not in view.c:
        return query.order_by(experiments.c.id)  # samples of one experiment come by index: that is how they are kept
    same = sa.and_(metrics.c.experiment == view.c.experiment, metrics.c.metric == view.c.metric)
    return query.outerjoin(metrics, same).order_by(experiments.c.id, metrics.c.position)


def _among(column: sa.ColumnClause[Any], allowed: Sequence[object]) -> sa.ColumnElement[bool]:
    given = [value for value in allowed if value is not None]
    return sa.or_(column.in_(given), column.is_(None)) if len(given) < len(allowed) else column.in_(given)


def _with_status(
    connection: sa.Connection, columns: list[str], rows: list[list[Any]], allowed: Sequence[object]
) -> list[list[Any]]:
    """The rows with the status of the moment, and only those of a status that is wanted."""
    e = experiments.c
    query = sa.select(e.key, e.status, e.owner, e.lease, e.lease_until).where(e.status == "running")
    now = {row.key: status_now(row.status, row.owner, row.lease, row.lease_until) for row in connection.execute(query)}
    key, status = columns.index("experiment"), columns.index("status")
    for row in rows:
        row[status] = now.get(row[key], row[status])
    return [row for row in rows if not allowed or row[status] in allowed]


def _metric(key: str, place: int, value: MetricValue) -> dict[str, Any]:
    return {
        "experiment": key,
        "metric": value.metric,
        "position": place,
        "value": _real(value.value),
        "ci_low": _real(value.ci_low),
        "ci_high": _real(value.ci_high),
        "n": int(value.n),
        "is_primary": bool(value.is_primary),
        "higher_is_better": bool(value.higher_is_better),
        "unit": value.unit,
        "reason": _reason(value.reason, value.value),
    }


def _real(value: float | None) -> float | None:
    """A number that a database knows: not NaN, not infinite, and not NumPy's."""
    return None if value is None or not math.isfinite(value) else float(value)


def _reason(reason: str | None, value: float | None) -> str | None:
    """Never NULL without a reason."""
    return reason or ("undefined" if _real(value) is None else None)
