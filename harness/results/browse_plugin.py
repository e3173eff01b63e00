"""A Datasette plugin that adds the SQL function `sqrt` to the connections to a results database."""

from __future__ import annotations

import math
import sqlite3

from datasette import hookimpl

__all__ = ["prepare_connection"]


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add the SQL function `sqrt`, which the view `seeds` needs and which some builds of SQLite lack.

    The function returns NULL for NULL and for negative values.
    """

    def root(value: float | None) -> float | None:
        return None if value is None or value < 0 else math.sqrt(value)

    conn.create_function("sqrt", 1, root, deterministic=True)
