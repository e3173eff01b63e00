"""The connection: engine, transactions, and the words for what goes wrong."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from harness.errors import StoreError
from harness_plugins.sql_store import holders, upgrade
from harness_plugins.sql_store.location import check_file, file_of, file_url, tidy

__all__ = ["Database", "chunks", "know_roots"]

Item = TypeVar("Item")

WAIT = 30.0
"""Seconds to wait for a lock."""


class Database:
    """An open database.

    Args:
        url: where it is.
        write: whether it may be created, upgraded and written.
    """

    def __init__(self, url: str, write: bool) -> None:
        self.file = file_of(url)
        self.name = str(self.file) if self.file else _without_password(url)
        self.write = write
        self.wait = WAIT
        self._url = url
        self._engine = _file_engine(self.file, write) if self.file else _server_engine(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self.file and not self.write:
            tidy(self.file)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the database."""
        with self._worded(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that may write, and that on SQLite nobody else's write can come between."""
        with self._worded(), self._engine.connect().execution_options(immediate=True) as connection, connection.begin():
            yield connection

    def _prepare(self) -> None:
        """Check the version; create or upgrade."""
        with self.reading() as connection:
            found = upgrade.state_of(connection, self.name)
        if found == "current":
            return
        if not self.write:
            if found == "empty":
                raise StoreError(f"the database {self.name} holds no results: nothing was ever written to it.")
            Database(self._url, write=True).close()
            return
        with self.writing() as connection:
            upgrade.to_newest(connection, self.name)

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explained(str(error.orig).strip()) from error
        except UnicodeDecodeError as error:  # a text of the file, or SQLite's message about it
            raise self._explained("it holds text that is not UTF-8") from error

    def _explained(self, said: str) -> StoreError:
        """The error with what was found and what to do."""
        where = f"the results database {self.name}"
        if "locked" in said and self.file:
            who = holders.who_holds(self.file)
            return StoreError(f"{where} is locked: waited {WAIT:g} s for {who}. End that, or wait and run again.")
        if "readonly" in said:
            return StoreError(f"{where} is read-only. Make file and folder writable, or give another with --db.")
        if "is full" in said or "disk I/O error" in said:
            return StoreError(
                f"{where} could not be written: {said}. What was written before is kept; make room and run again."
            )
        if "not a database" in said:
            return StoreError(f"{where} is no SQLite database. It was left as it is; name another file.")
        if "malformed" in said or "UTF-8" in said:
            return StoreError(f"{where} is damaged ({said}). Restore it from a copy, or name another file.")
        if "unable to open" in said:
            return StoreError(f"{where} cannot be opened: {said}. It must be readable, and its folder writable.")
        return StoreError(f"{where} gave an error: {said}")


def chunks(items: Sequence[Item], size: int = 500) -> Iterator[Sequence[Item]]:
    """The items in pieces small enough for one statement's parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def know_roots(connection: sqlite3.Connection) -> None:
    """Give a connection the function SQRT, which not every build of SQLite has and the view `seeds` needs."""

    def root(value: float | None) -> float | None:
        return None if value is None or value < 0 else math.sqrt(value)

    connection.create_function("sqrt", 1, root, deterministic=True)


def _file_engine(file: Path, write: bool) -> sa.Engine:
    check_file(file, write)

    def connect() -> sqlite3.Connection:
        url = file_url(file, "rwc" if write else "ro")
        connection = sqlite3.connect(url, uri=True, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            know_roots(connection)
            if write:
                connection.execute("PRAGMA journal_mode = WAL")
            # In WAL mode NORMAL loses nothing committed when the process dies; a power cut may take the last ones.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    """Begin at once: Python's driver, left alone, would begin late, and not before a SELECT."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _without_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.rpartition("@")[2]


def _server_engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        driver = parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed
        return sa.create_engine(driver, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f"{_without_password(url)} is no URL of a database.") from error
    except ImportError as error:
        raise StoreError("a PostgreSQL database needs the driver psycopg: pip install 'psycopg[binary]'.") from error
