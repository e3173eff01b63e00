"""The rows of samples and their statistics: written in chunks, read back in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.keep.texts import storable, storable_message
from harness.records import SampleRow, SampleStatistics
from harness.statistics.packing import Packed, pack
from harness_plugins.sql_store.claims import held_ids
from harness_plugins.sql_store.schema import experiments, samples, statistics

if TYPE_CHECKING:
    from harness.records import Claim
    from harness_plugins.sql_store.database import Database

__all__ = ["append", "done", "packed", "read_rows", "read_statistics"]

_PAGE = 256

_PLAIN = frozenset({int, str, type(None)})

_KEPT = (
    *("status", "error", "bits", "pixels", "duration", "squared_error", "source_bytes", "source_format"),
    *("source_quality", "encode_ms", "decode_ms", "seconds", "score", "frames"),
)


def packed(rows: Sequence[SampleRow]) -> list[bytes | None]:
    """Return the statistics of each row as bytes; None for a failed sample.

    Call it before the database is locked, because packing takes time.
    """
    return [pack(row.statistics) if row.status == "ok" else None for row in rows]


def append(connection: sa.Connection, rows: Sequence[SampleRow], data: Sequence[bytes | None], claim: Claim) -> None:
    """Write rows of samples and their packed statistics, under a claim.

    Raises:
        StoreError: the claim was lost, or a sample already has a row.
    """
    if not rows:
        return
    ids = held_ids(connection, (row.key for row in rows), claim)
    statistics_rows = [
        (ids[row.key], int(row.index), blob) for row, blob in zip(rows, data, strict=True) if blob is not None
    ]
    try:
        _insert(connection, samples, [_row(row, ids[row.key]) for row in rows])
    except sa.exc.IntegrityError as error:
        raise StoreError(f"a sample was written twice, so nothing was written: {error.orig}") from error
    _insert(connection, statistics, statistics_rows)


def done(connection: sa.Connection, key: str) -> set[int]:
    """Return the indices of an experiment's samples that have a row."""
    return set(connection.scalars(sa.select(samples.c.sample_index).join(experiments).where(experiments.c.key == key)))


def read_statistics(database: Database, key: str) -> Iterator[SampleStatistics]:
    """Yield the statistics of the samples that succeeded. They are unpacked when they are used.

    They are read page by page, so that no transaction stays open.
    """
    s, t = samples.c, statistics.c
    query = sa.select(s.sample_index, s.group, t.data).join(
        statistics, sa.and_(t.experiment_id == s.experiment_id, t.sample_index == s.sample_index)
    )
    query = query.where(s.status == "ok")
    for row in _pages(database, key, query):
        yield SampleStatistics(row.sample_index, row.group, Packed(row.data))


def read_rows(database: Database, key: str) -> Iterator[SampleRow]:
    """Yield all sample rows of an experiment, without their statistics."""
    names = ("sample_index", "sample", "group", *_KEPT)
    for row in _pages(database, key, sa.select(*(samples.c[name] for name in names))):
        values = row._mapping
        yield SampleRow(
            key=key,
            index=values["sample_index"],
            id=values["sample"],
            group=values["group"],
            **{name: values[name] for name in _KEPT},
        )


def _pages(database: Database, key: str, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    """Yield the query's rows for one experiment, in ascending order of the sample index."""
    s = samples.c
    with database.reading() as connection:
        number = connection.scalar(sa.select(experiments.c.id).where(experiments.c.key == key))
    after = -1
    while number is not None:
        page = query.where(s.experiment_id == number, s.sample_index > after).order_by(s.sample_index).limit(_PAGE)
        with database.reading() as connection:
            rows = connection.execute(page).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].sample_index


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows with the driver's own `executemany`: SQLAlchemy's takes three times as long."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    placeholder = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names = ", ".join(quote(column.name) for column in table.columns)
    placeholders = ", ".join([placeholder] * len(table.columns))
    connection.exec_driver_sql(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({placeholders})", list(rows))


def _row(row: SampleRow, number: int) -> tuple[Any, ...]:
    """Return the values of a sample row, in the order of the table's columns."""
    values = (
        *(number, row.index, storable(row.id), storable(row.group), row.status),
        *(None if row.error is None else storable_message(row.error), row.bits, row.pixels, row.duration),
        *(row.squared_error, _psnr(row), row.source_bytes),
        *(None if row.source_format is None else storable(row.source_format), row.source_quality),
        *(row.encode_ms, row.decode_ms, row.seconds, row.score, row.frames),
    )
    return tuple(value if type(value) in _PLAIN else _number(value) for value in values)


def _number(value: Any) -> int | float | None:
    """Return a number as a Python int or float; None when it is not finite.

    SQLite's driver would store NumPy's numbers as bytes.
    """
    number: int | float = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None


def _psnr(row: SampleRow) -> float | None:
    """Return the PSNR in dB, 10 log10(255^2 / mean squared error); None where the error is zero or was not measured."""
    if not row.squared_error or not row.pixels:
        return None
    return 10.0 * math.log10(255.0**2 * 3 * int(row.pixels) / int(row.squared_error))
