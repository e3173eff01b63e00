"""The database connection: engine, transactions, and readable error messages."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from harness.errors import NoResultsError, StoreError
from harness.keep.texts import without_passwords
from harness_plugins.sql_store import locks, upgrade
from harness_plugins.sql_store.check import problems
from harness_plugins.sql_store.location import check_file, file_of, file_url, tidy

__all__ = ["Database", "chunks", "know_roots"]

Item = TypeVar("Item")
P = ParamSpec("P")

WAIT = 30.0
"""How long to wait for a lock, or for a server that does not answer, in seconds."""

_PAUSE = 0.5
"""Seconds between two attempts to reach a server."""


class Database:
    """An open results database.

    Args:
        url: URL or path of the database.
        write: whether the database may be created, upgraded and written.
    """

    def __init__(self, url: str, write: bool) -> None:
        self.file = file_of(url)
        self.name = str(self.file) if self.file else without_passwords(url)
        self._writable = write
        self.wait = WAIT
        self._url = url
        if self.file and write:
            self._look_first(self.file)
        self._engine = _file_engine(self.file, write) if self.file else _server_engine(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if self.file and not self._writable:
            tidy(self.file)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a read transaction, which sees one consistent state of the database."""
        with self._readable_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a write transaction. On SQLite no other process can write during it."""
        with (
            self._readable_errors(),
            self._engine.connect().execution_options(immediate=True) as connection,
            connection.begin(),
        ):
            yield connection

    def read(self, work: Callable[Concatenate[sa.Connection, P], Item], *args: P.args, **options: P.kwargs) -> Item:
        """Return `work(connection, ...)` in a read transaction. A server that went away is waited for."""
        return self._transact(False, work, *args, **options)

    def write(self, work: Callable[Concatenate[sa.Connection, P], Item], *args: P.args, **options: P.kwargs) -> Item:
        """Return `work(connection, ...)` in a write transaction, which is committed.

        When a server goes away before the commit, nothing was written: the work is done again when it is back, for
        `WAIT` seconds. When it goes away during the commit, nobody knows whether it was written, and this is an error.
        """
        return self._transact(True, work, *args, **options)

    def _transact(
        self, write: bool, work: Callable[Concatenate[sa.Connection, P], Item], *args: P.args, **options: P.kwargs
    ) -> Item:
        if self.file:
            with self.writing() if write else self.reading() as connection:
                return work(connection, *args, **options)
        until = time.monotonic() + self.wait
        with self._readable_errors():
            while True:
                committing = False
                try:
                    with self._engine.connect().execution_options(immediate=write) as connection:
                        transaction = connection.begin()
                        result = work(connection, *args, **options)
                        committing = write
                        transaction.commit()
                    return result
                except DBAPIError as error:
                    if committing or not _went_away(error) or time.monotonic() > until:
                        raise
                time.sleep(_PAUSE)

    def _prepare(self) -> None:
        """Check the schema version, and create or upgrade the schema if necessary."""
        with self.reading() as connection:
            state = upgrade.state_of(connection, self.name)
        if state == "current":
            return
        if not self._writable:
            if state == "altered":
                raise StoreError(
                    f"{self.name} has views that are not those of this program: they were replaced, deleted or "
                    "damaged. A command that writes, as `harness run`, makes them anew; the tables stay as they are."
                )
            if state == "empty":
                raise NoResultsError(f"the database {self.name} holds no results: nothing was ever written to it.")
            Database(self._url, write=True).close()
            return
        with self.writing() as connection:
            upgrade.to_newest(connection, self.name)

    def _look_first(self, file: Path) -> None:
        """Refuse another program's file before it is opened for writing, which would change its header (WAL mode)."""
        check_file(file, write=True)
        if not file.exists() or not file.stat().st_size:
            return
        self._engine = _file_engine(file, write=False)
        try:
            with self.reading() as connection:
                upgrade.state_of(connection, self.name)
        except StoreError as error:
            # A file whose last writer died can be read only by one who may write, and repair it.
            if "read-only" not in str(error):
                raise
        finally:
            self._engine.dispose()
            tidy(file)

    def check(self) -> Iterator[str]:
        """Yield a sentence for each thing in the database that was altered or is damaged."""
        try:
            with self.reading() as connection:
                yield from problems(connection)
        except StoreError as error:
            yield str(error)
        except Exception as error:  # noqa: BLE001 - a damaged row can raise anything, and that it does is the answer
            yield f"its rows cannot be read ({type(error).__name__}: {error})"

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Turn the database driver's exceptions into a StoreError with a readable message."""
        try:
            yield
        except DBAPIError as error:
            if not self.file and _went_away(error):
                raise self._gone(str(error.orig)) from error
            raise self._store_error(str(error.orig).strip()) from error
        except UnicodeDecodeError as error:  # raised for a text in the file, or for SQLite's error message
            raise self._store_error("it holds text that is not UTF-8") from error

    def _gone(self, said: str) -> StoreError:
        """Return an error that says that the server cannot be reached. `said` is the driver's message."""
        reason = " ".join(without_passwords(said).split()).removesuffix(".")
        return StoreError(
            f"the server of the results database {self.name} cannot be reached: {reason}. What was written is kept; "
            "run the same command again when the server is back."
        )

    def _store_error(self, said: str) -> StoreError:
        """Return an error that says what is wrong and what the user can do. `said` is the driver's message."""
        where = f"the results database {self.name}"
        if "locked" in said and self.file:
            who = locks.who_holds(self.file)
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
    """Split the items into pieces of at most `size`, because a statement has a limited number of parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def know_roots(connection: sqlite3.Connection) -> None:
    """Add the SQL function SQRT to a connection. The view `seeds` needs it, and some builds of SQLite lack it."""

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
            # In WAL mode, NORMAL keeps every committed transaction when the process dies. Only a power cut can lose
            # the last ones.
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
    """Begin a transaction explicitly: Python's SQLite driver would begin it late, and not at all before a SELECT."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _went_away(error: DBAPIError) -> bool:
    """Whether a server cannot be reached, was stopped, or ended the connection.

    Source: the classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # not said by the server: the driver found no server, or no longer
        return error.connection_invalidated or isinstance(error, OperationalError)
    return code.startswith("08") or code in ("57P01", "57P02", "57P03", "57P05")


def _server_engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        driver = parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed
        return sa.create_engine(driver, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f"{without_passwords(url)} is no URL of a database.") from error
    except ImportError as error:
        raise StoreError("a PostgreSQL database needs the driver psycopg: pip install 'psycopg[binary]'.") from error
