"""Rows of samples and their statistics: appended in chunks, read back in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.statistics_blob import pack, unpack
from harness.store import SampleRow, SampleStatistics
from harness_plugins.sql_store.claims import held_ids
from harness_plugins.sql_store.schema import experiments, samples, statistics

if TYPE_CHECKING:
    from harness.store import Claim
    from harness_plugins.sql_store.database import Database

__all__ = ["append", "done", "read_rows", "read_statistics"]

_PAGE = 256

_KEPT = (
    *("status", "error", "bits", "pixels", "duration", "squared_error", "source_bytes", "source_format"),
    *("source_quality", "encode_ms", "decode_ms", "seconds", "score"),
)


def append(connection: sa.Connection, rows: Sequence[SampleRow], claim: Claim) -> None:
    """Write rows under a claim."""
    if not rows:
        return
    ids = held_ids(connection, (row.key for row in rows), claim)
    try:
        connection.execute(sa.insert(samples), [_row(row, ids[row.key]) for row in rows])
    except sa.exc.IntegrityError as error:
        raise StoreError(f"a sample was written twice, so nothing was written: {error.orig}") from error
    kept = [
        {"experiment_id": ids[row.key], "sample_index": int(row.index), "data": pack(row.statistics)}
        for row in rows
        if row.status == "ok"
    ]
    if kept:
        connection.execute(sa.insert(statistics), kept)


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


def _row(row: SampleRow, number: int) -> dict[str, Any]:
    """Numbers as Python's own: SQLite's driver stores NumPy's integers as bytes."""
    return {
        "experiment_id": number,
        "sample_index": int(row.index),
        "sample": row.id,
        "group": row.group,
        "status": row.status,
        "error": row.error,
        "bits": _whole(row.bits),
        "pixels": _whole(row.pixels),
        "duration": _real(row.duration),
        "squared_error": _whole(row.squared_error),
        "psnr": _psnr(row),
        "source_bytes": _whole(row.source_bytes),
        "source_format": row.source_format,
        "source_quality": _whole(row.source_quality),
        "encode_ms": _real(row.encode_ms),
        "decode_ms": _real(row.decode_ms),
        "seconds": _real(row.seconds),
        "score": _real(row.score),
    }


def _psnr(row: SampleRow) -> float | None:
    """10 log10(255^2 / mean squared error) in dB; None where nothing was measured or nothing was lost."""
    if not row.squared_error or not row.pixels:
        return None
    return 10.0 * math.log10(255.0**2 * 3 * int(row.pixels) / int(row.squared_error))


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)


def _real(value: float | None) -> float | None:
    """A number that a database knows: not NaN, not infinite."""
    return None if value is None or not math.isfinite(value) else float(value)
