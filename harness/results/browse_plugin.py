"""What Datasette's connections to a results database need: a plugin of Datasette's."""

from __future__ import annotations

import math
import sqlite3

from datasette import hookimpl

__all__ = ["prepare_connection"]


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection) -> None:
    """The function SQRT, which the view `seeds` needs and not every SQLite has."""

    def root(value: float | None) -> float | None:
        return None if value is None or value < 0 else math.sqrt(value)

    conn.create_function("sqrt", 1, root, deterministic=True)
