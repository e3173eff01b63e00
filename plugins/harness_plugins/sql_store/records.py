"""Rows of samples and their statistics: appended in chunks, read back in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.records import SampleRow, SampleStatistics
from harness.statistics.packing import pack, unpack
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
    *("source_quality", "encode_ms", "decode_ms", "seconds", "score"),
)


def packed(rows: Sequence[SampleRow]) -> list[bytes | None]:
    """The statistics of each row; None for samples that failed. To be called before the database is locked."""
    return [pack(row.statistics) if row.status == "ok" else None for row in rows]


def append(connection: sa.Connection, rows: Sequence[SampleRow], data: Sequence[bytes | None], claim: Claim) -> None:
    """Write rows under a claim, with their packed statistics."""
    if not rows:
        return
    ids = held_ids(connection, (row.key for row in rows), claim)
    kept = [(ids[row.key], int(row.index), d) for row, d in zip(rows, data, strict=True) if d is not None]
    try:
        _insert(connection, samples, [_row(row, ids[row.key]) for row in rows])
    except sa.exc.IntegrityError as error:
        raise StoreError(f"a sample was written twice, so nothing was written: {error.orig}") from error
    _insert(connection, statistics, kept)


def done(connection: sa.Connection, key: str) -> set[int]:
    """The indices of samples that have a row."""
    return set(connection.scalars(sa.select(samples.c.sample_index).join(experiments).where(experiments.c.key == key)))


def read_statistics(database: Database, key: str) -> Iterator[SampleStatistics]:
    """The statistics of the samples that finished, page by page, so that no transaction stays open."""
    s, t = samples.c, statistics.c
    query = sa.select(s.sample_index, s.group, t.data).join(
        statistics, sa.and_(t.experiment_id == s.experiment_id, t.sample_index == s.sample_index)
    )
    for row in _pages(database, key, query):
        yield SampleStatistics(row.sample_index, row.group, unpack(row.data))


def read_rows(database: Database, key: str) -> Iterator[SampleRow]:
    """All rows of an experiment, without their statistics."""
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
    """The query's rows for one experiment by ascending index."""
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
    """Insert whole rows by the driver's own `executemany`: SQLAlchemy's takes three times as long."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names = ", ".join(quote(column.name) for column in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    connection.exec_driver_sql(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})", list(rows))


def _row(row: SampleRow, number: int) -> tuple[Any, ...]:
    """The values in the order of the table's columns."""
    values = (
        *(number, row.index, row.id, row.group, row.status, row.error, row.bits, row.pixels, row.duration),
        *(row.squared_error, _psnr(row), row.source_bytes, row.source_format, row.source_quality),
        *(row.encode_ms, row.decode_ms, row.seconds, row.score),
    )
    return tuple(value if type(value) in _PLAIN else _number(value) for value in values)


def _number(value: Any) -> int | float | None:
    """A number as Python's own (SQLite's driver would store NumPy's as bytes); None for one that is not finite."""
    number: int | float = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None


def _psnr(row: SampleRow) -> float | None:
    """10 log10(255^2 / mean squared error) in dB; None where nothing was measured or nothing was lost."""
    if not row.squared_error or not row.pixels:
        return None
    return 10.0 * math.log10(255.0**2 * 3 * int(row.pixels) / int(row.squared_error))
