"""Reading the views: whole, or some of their columns row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness_plugins.sql_store.claims import status_now
from harness_plugins.sql_store.schema import experiments, metrics
from harness_plugins.sql_store.views import BOOLEANS, VIEWS, columns_of

if TYPE_CHECKING:
    from harness.store import Filters

__all__ = ["read_columns", "read_view"]

_PAGE = 2000
"""The number of rows that are fetched at once."""

_CLAIMED = ("running", "interrupted")
"""The statuses that a claim decides, so that the view's own value may be out of date."""


def read_view(connection: sa.Connection, name: str, filters: Filters) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the column names and the rows of a view.

    Rows are in the order in which the experiments were registered, then in the order of the task's metrics. A running
    experiment whose claim has lapsed has the status `interrupted`.

    Raises:
        StoreError: there is no such view, or a filter names a column that the view lacks.
    """
    columns = _columns(connection, name)
    return columns, list(read_columns(connection, name, columns, filters))


def read_columns(
    connection: sa.Connection, name: str, columns: Sequence[str], filters: Filters, distinct: bool = False
) -> Iterator[tuple[Any, ...]]:
    """Yield some columns of a view, in the order of `read_view`. The rows are never in memory all together.

    Args:
        connection: a connection in a transaction, which must stay open until the last row was taken.
        name: the view's name.
        columns: the names of the columns.
        filters: selects rows.
        distinct: whether equal rows are yielded only once. Without the column `experiment` they have no order.

    Raises:
        StoreError: there is no such view, or it lacks a column or a filter's column.
    """
    known = _columns(connection, name)
    if unknown := [column for column in (*columns, *filters.columns) if column not in known]:
        raise StoreError(f"view {name} has no column {unknown[0]!r}. Its columns: {', '.join(known)}.")
    view = sa.table(name, *(sa.column(column) for column in known))
    allowed = filters.columns.get("status", ()) if name == "results" else ()
    claimed = _claimed(connection) if name == "results" and ("status" in columns or allowed) else {}
    read = [*columns, *(("experiment", "status") if claimed else ())]
    query = sa.select(*(view.c[column] for column in read))
    if distinct and "experiment" in read:
        query = query.add_columns(experiments.c.id).distinct()
        query = query.join_from(view, experiments, experiments.c.key == _record(view)).order_by(experiments.c.id)
    else:
        query = query.distinct() if distinct else _ordered(query, view)
    for column, values in filters.columns.items():
        wanted = [*values, *_CLAIMED] if claimed and column == "status" and values else values
        if wanted:
            query = query.where(_is_one_of(view.c[column], wanted))
    result = connection.execute(query, execution_options={"yield_per": _PAGE})
    found: Iterator[Sequence[Any]] = (row for page in result.partitions() for row in page)
    if claimed:
        found = _with_status(found, read, claimed, allowed)
    rows = _plain(found, columns)
    yield from dict.fromkeys(rows) if distinct and claimed else rows


def _columns(connection: sa.Connection, name: str) -> list[str]:
    if name not in VIEWS:
        raise StoreError(f"there is no view {name!r}. There is: {', '.join(VIEWS)}.")
    return columns_of(connection, name)


def _ordered(query: sa.Select[Any], view: sa.TableClause) -> sa.Select[Any]:
    """Give the query a fixed order; the views themselves have no order."""
    query = query.join_from(view, experiments, experiments.c.key == _record(view))
    if "metric" not in view.c:
        return query.order_by(experiments.c.id)  # samples of one experiment are stored by index
    same = sa.and_(metrics.c.experiment == _record(view), metrics.c.metric == view.c.metric)
    return query.outerjoin(metrics, same).order_by(experiments.c.id, metrics.c.position)


def _record(view: sa.TableClause) -> sa.ColumnClause[Any]:
    """Return the column with the key of a row's record; of a superseded one this is not the experiment's key."""
    return view.c.record if "record" in view.c else view.c.experiment


def _is_one_of(column: sa.ColumnClause[Any], allowed: Sequence[object]) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of the allowed values; None stands for NULL."""
    non_null = [value for value in allowed if value is not None]
    return sa.or_(column.in_(non_null), column.is_(None)) if len(non_null) < len(allowed) else column.in_(non_null)


def _claimed(connection: sa.Connection) -> dict[str, str]:
    """Return the current status of each experiment that is recorded as running, by its key."""
    e = experiments.c
    query = sa.select(e.key, e.status, e.owner, e.lease, e.lease_until).where(e.status == "running")
    return {row.key: status_now(row.status, row.owner, row.lease, row.lease_until) for row in connection.execute(query)}


def _with_status(
    rows: Iterator[Sequence[Any]], columns: Sequence[str], claimed: Mapping[str, str], allowed: Sequence[object]
) -> Iterator[Sequence[Any]]:
    """Set the current status in the rows, and leave out those whose status is not allowed (none, if that is empty)."""
    key, places = columns.index("experiment"), [n for n, column in enumerate(columns) if column == "status"]
    for row in rows:
        status = claimed.get(row[key], row[places[0]])
        if not allowed or status in allowed:
            yield [status if place in places else value for place, value in enumerate(row)]


def _plain(rows: Iterator[Sequence[Any]], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Return the first values of each row, one for each column. SQLite's 0 and 1 become booleans."""
    count, booleans = len(columns), [place for place, column in enumerate(columns) if column in BOOLEANS]
    for row in rows:
        if not booleans:
            yield tuple(row[:count])
            continue
        values = list(row[:count])
        for place in booleans:
            values[place] = None if values[place] is None else bool(values[place])
        yield tuple(values)
