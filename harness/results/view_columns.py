"""The types, units and descriptions of the public views' columns, for data frames, exported files and Datasette."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["NUMERIC", "Column", "Query", "queries", "view_columns"]

NUMERIC = frozenset({"int", "real", "bool"})
"""The types of columns that hold numbers."""


@dataclass(frozen=True)
class Column:
    """A column of a view.

    Args:
        type: "text", "int", "real", "bool", or "time" (ISO 8601 in UTC).
        about: the description of the column.
        unit: the unit of the values; "" if they have none, or if they have the unit of the row's metric.
    """

    type: str
    about: str
    unit: str = ""


@dataclass(frozen=True)
class Query:
    """An example query.

    Args:
        title: the question that the query answers, in words.
        sql: a SELECT statement for SQLite.
    """

    title: str
    sql: str


@cache
def view_columns() -> Mapping[str, Mapping[str, Column]]:
    """Return the columns of each view by name, in the view's order.

    A column whose description is "as in `results`" gets the description of the column in the view `results`.
    """
    content = tomllib.loads(files("harness.results").joinpath("view_columns.toml").read_text("utf-8"))
    views = {view: {name: Column(**facts) for name, facts in columns.items()} for view, columns in content.items()}
    results = views["results"]
    for view, columns in views.items():
        for name, column in columns.items():
            if column.about.startswith("as in `results`") and view != "results" and name in results:
                columns[name] = Column(column.type, results[name].about, column.unit)
    return views


@cache
def queries() -> Mapping[str, Query]:
    """Return the example queries of the documentation, by name."""
    content = tomllib.loads(files("harness.results").joinpath("queries.toml").read_text("utf-8"))
    return {name: Query(facts["title"], facts["sql"].strip()) for name, facts in content.items()}
