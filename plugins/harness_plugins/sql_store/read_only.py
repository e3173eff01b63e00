"""A query that can only read, whoever wrote it.

SQLite: the file is opened read-only, and SQLite's authorizer, which is asked about every step when a statement is
prepared, admits nothing but reading (read-only alone would let ATTACH create files). PostgreSQL: a READ ONLY
transaction, and one statement only.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
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
"""Bytes that one value may take, so that a query cannot use up the memory with a single one."""


def select_from_file(file: Path, sql: str, wait: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of a query to a SQLite file.

    Raises:
        StoreError: the query is malformed, or asks for more than reading.
    """
    denied: list[str] = []

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second != "load_extension":
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # Asked when json_each and the like declare their columns. Really changing it takes a PRAGMA, denied below.
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS:
            return sqlite3.SQLITE_OK
        denied.append(_NAMES.get(action, "that"))
        return sqlite3.SQLITE_DENY

    try:
        with closing(sqlite3.connect(file_url(file, "ro"), uri=True, timeout=wait, isolation_level=None)) as connection:
            know_roots(connection)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.set_progress_handler(lambda: 0, 100_000)  # lets Ctrl-C in
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
    """Columns and rows of a query to PostgreSQL; the transaction is one that cannot write.

    Raises:
        StoreError: the query is malformed, or tries to write.
    """
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        try:
            cursor.execute(sql, prepare=True)  # a prepared statement is one statement
            if cursor.description is None:
                raise StoreError("the query gives no rows: only SELECT is allowed.")
            return [column.name for column in cursor.description], cursor.fetchall()
        except raw.Error as error:
            raise StoreError(f"the query was refused: {error}") from error


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
