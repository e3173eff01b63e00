"""Run a user's SQL query so that it can only read.

SQLite: the file is opened read-only. In addition, SQLite's authorizer, which SQLite calls for every action of a
statement, allows only reading (read-only mode alone would still let ATTACH create files). PostgreSQL: the query runs in
a READ ONLY transaction, and must be a single statement.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness_plugins.sql_store.database import know_roots
from harness_plugins.sql_store.location import file_url, tidy

__all__ = ["select_from_file", "select_from_server"]

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})

_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"})

_LONGEST = 64 << 20
"""The largest size of one value in bytes, so that a query cannot fill the memory with a single value."""


def select_from_file(file: Path, sql: str, wait: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query on a SQLite file, and return the column names and the rows.

    Raises:
        StoreError: the query is malformed, or does more than read.
    """
    denied: list[str] = []

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second != "load_extension":
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # SQLite requests this when table functions such as json_each declare their columns. A real change of
            # sqlite_master also needs a PRAGMA, which is denied below.
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS:
            return sqlite3.SQLITE_OK
        denied.append(_NAMES.get(action, "that"))
        return sqlite3.SQLITE_DENY

    try:
        with closing(sqlite3.connect(file_url(file, "ro"), uri=True, timeout=wait, isolation_level=None)) as connection:
            know_roots(connection)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.set_progress_handler(lambda: 0, 100_000)  # so that Ctrl-C can interrupt a long query
            connection.set_authorizer(authorize)
            cursor = connection.execute(sql)
            if cursor.description is None:
                raise StoreError("the query gives no rows: only SELECT is allowed.")
            return [column[0] for column in cursor.description], cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if denied:
            raise StoreError(f"the query was refused: {denied[0]} is not allowed, only reading is.") from error
        raise StoreError(f"the query failed: {str(error).removesuffix('.')}.") from error
    except (ValueError, UnicodeError) as error:
        raise StoreError(f"the query cannot be read: {error}.") from error
    finally:
        tidy(file)


def select_from_server(connection: sa.Connection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query on PostgreSQL in a transaction that cannot write, and return the column names and the rows.

    Raises:
        StoreError: the query is malformed, or tries to write.
    """
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        try:
            cursor.execute(sql, prepare=True)  # only a single statement can be prepared
            if cursor.description is None:
                raise StoreError("the query gives no rows: only SELECT is allowed.")
            names = [column.name for column in cursor.description]
            return names, [tuple(map(_as_sqlite, row)) for row in cursor]
        except raw.Error as error:
            raise StoreError(f"the query was refused: {error}") from error


def _as_sqlite(value: Any) -> Any:
    """Return a value as SQLite would give it: booleans as 1 and 0, exact decimals as whole numbers or floats."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    return value


_NAMES = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_INSERT: "INSERT",
    sqlite3.SQLITE_UPDATE: "UPDATE",
    sqlite3.SQLITE_DELETE: "DELETE",
    sqlite3.SQLITE_PRAGMA: "this PRAGMA",
    sqlite3.SQLITE_TRANSACTION: "a transaction",
    sqlite3.SQLITE_FUNCTION: "load_extension",
}
