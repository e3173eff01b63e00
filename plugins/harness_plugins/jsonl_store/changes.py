"""What a transaction changed in the index, as plain data; and such changes done to another index.

A change is `["put", table, row]` (a new row), `["set", table, key, values]` (columns that changed) or `["cut", table,
key]` (a row that is gone). Rows and keys are column -> value; a key has the columns of the table's primary key.
"""

from __future__ import annotations

import base64
import json
import math
import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from harness_plugins.sql_store.schema import metadata

__all__ = ["Change", "apply", "collected", "watch"]

Change = list[Any]
_KEYS = {name: [column.name for column in table.primary_key.columns] for name, table in metadata.tables.items()}
_NOTED = "changed_rows"


def watch(connection: sa.Connection) -> None:
    """Have the connection note, in a temporary table, the key of each row that its transaction changes."""
    connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {_NOTED} (name TEXT, key TEXT)")
    connection.exec_driver_sql(f"DELETE FROM temp.{_NOTED}")
    for name, columns in _KEYS.items():
        for event, sides in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            keys = [", ".join(f'{side}."{column}"' for column in columns) for side in sides]
            notes = "".join(f"INSERT INTO {_NOTED} VALUES ('{name}', json_array({key})); " for key in keys)
            connection.exec_driver_sql(
                f"CREATE TEMP TRIGGER IF NOT EXISTS note_{event}_{name} AFTER {event} ON main.{name} BEGIN {notes}END"
            )


def collected(connection: sa.Connection, before: sqlite3.Connection) -> list[Change]:
    """Return what the transaction of a watched connection has changed.

    Args:
        connection: the connection, before its transaction ends.
        before: another connection to the same file, which sees it without the transaction.
    """
    driver: Any = connection.connection.driver_connection
    changes: list[Change] = []
    for name, text in driver.execute(f"SELECT DISTINCT name, key FROM temp.{_NOTED}").fetchall():
        key = dict(zip(_KEYS[name], json.loads(text), strict=True))
        old, new = _row(before, name, key), _row(driver, name, key)
        if new is None:
            changes += [["cut", name, key]] if old is not None else []
        elif old is None:
            changes.append(["put", name, _plain(new)])
        elif differing := {column: value for column, value in new.items() if value != old[column]}:
            changes.append(["set", name, key, _plain(differing)])
    return changes


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Do changes to an index, in the connection's transaction. The connection does not check foreign keys.

    Rows are taken out before any comes in, because keys may have changed places.

    Raises:
        ValueError: the changes do not fit the tables, or the rows that are there.
    """
    put: list[tuple[str, dict[str, Any]]] = []
    cut: list[tuple[str, dict[str, Any]]] = []
    for kind, name, first, *rest in changes:
        if name not in _KEYS or kind not in ("put", "set", "cut"):
            raise ValueError(f"unknown change {kind!r} of {name!r}")
        if kind == "put":
            put.append((name, _stored(first)))
            continue
        old = _row(connection, name, first)
        if old is None:
            raise ValueError(f"{name} has no row {first}")
        cut.append((name, first))
        if kind == "set":
            put.append((name, {**old, **_stored(rest[0])}))
    for name, key in cut:
        where = " AND ".join(f'"{column}" = ?' for column in key)
        connection.execute(f"DELETE FROM {name} WHERE {where}", list(key.values()))
    for name, row in put:
        if unknown := set(row) - set(metadata.tables[name].columns.keys()):
            raise ValueError(f"{name} has no column {min(unknown)}")
        columns, places = ", ".join(f'"{column}"' for column in row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {name} ({columns}) VALUES ({places})", list(row.values()))


def _row(connection: sqlite3.Connection, name: str, key: dict[str, Any]) -> dict[str, Any] | None:
    columns = _KEYS[name]
    where = " AND ".join(f'"{column}" = ?' for column in columns)
    cursor = connection.execute(f"SELECT * FROM {name} WHERE {where}", [key[column] for column in columns])
    found = cursor.fetchone()
    return None if found is None else dict(zip((each[0] for each in cursor.description), found, strict=True))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it: bytes as base64, infinite numbers as text, each in an object."""
    return {column: _as_json(value) for column, value in row.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row from JSON as SQLite stores it."""
    return {column: _from_json(value) for column, value in row.items()}


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return base64.b64decode(value["base64"], validate=True) if "base64" in value else float(value["float"])
