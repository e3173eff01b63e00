"""What the columns of the public views hold: their types, units and descriptions, for frames, files and Datasette."""

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
        about: what it holds.
        unit: "" for none, and where it is that of a metric.
    """

    type: str
    about: str
    unit: str = ""


@dataclass(frozen=True)
class Query:
    """A question that people ask.

    Args:
        title: in words.
        sql: a SELECT that SQLite reads.
    """

    title: str
    sql: str


@cache
def view_columns() -> Mapping[str, Mapping[str, Column]]:
    """The columns of each view, in order."""
    content = tomllib.loads(files("harness.results").joinpath("view_columns.toml").read_text("utf-8"))
    found = {view: {name: Column(**facts) for name, facts in columns.items()} for view, columns in content.items()}
    known = found["results"]
    for view, columns in found.items():
        for name, column in columns.items():
            if column.about.startswith("as in `results`") and view != "results" and name in known:
                columns[name] = Column(column.type, known[name].about, column.unit)
    return found


@cache
def queries() -> Mapping[str, Query]:
    """The queries of the documentation, by name."""
    content = tomllib.loads(files("harness.results").joinpath("queries.toml").read_text("utf-8"))
    return {name: Query(facts["title"], facts["sql"].strip()) for name, facts in content.items()}
