"""Find what was altered in a database: its structure, its views, digests of rows, keys, and references between rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from harness.errors import StoreError
from harness.experiment import key_of
from harness_plugins.sql_store.digests import altered
from harness_plugins.sql_store.links import contradictions
from harness_plugins.sql_store.schema import comparisons, experiments, metadata, samples

__all__ = ["damage_told", "problems"]

_MOST = 20
"""The number of problems of the structure that are told. One damaged page can give thousands."""


def problems(connection: sa.Connection) -> Iterator[str]:
    """Yield a sentence for each problem. If the structure is damaged, nothing else is looked at.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is damaged so much that it cannot be read.
    """
    structural = list(_structure(connection)) if connection.dialect.name == "sqlite" else []
    structural += _columns(connection)
    yield from structural
    if not structural:
        yield from altered(connection)
        yield from _keys(connection)
        yield from _references(connection)
        yield from contradictions(connection)
        yield from _other_samples(connection)


@contextmanager
def damage_told(found: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """A context in which databases are merged. An error that nobody expected is told as what is wrong with one.

    Args:
        found: what is wrong with each database, a sentence each.

    Raises:
        StoreError: a file is damaged.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        for source, sentences in found.items():
            if sentences:
                raise StoreError(f"{source} is damaged, and cannot be taken in: {sentences[0]}.") from error
        raise


def _structure(connection: sa.Connection) -> Iterator[str]:
    """Yield what SQLite itself finds: damaged pages, rows that an index lacks, references to missing rows."""
    for (text,) in connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST})"):
        if text != "ok":
            yield f"the file's structure: {text}".replace("\n", " ")
    for number, row in enumerate(connection.exec_driver_sql("PRAGMA foreign_key_check")):
        if number < _MOST:
            yield f"table {row[0]}, row {row[1]}: it refers to a row of table {row[2]} that is not there"


def _columns(connection: sa.Connection) -> list[str]:
    """Return a sentence for each table that lacks a column, or has one of another type."""
    found = []
    inspector = sa.inspect(connection)
    for table in metadata.sorted_tables:
        here = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in here:
                found.append(f"table {table.name} has no column {column.name}")
            elif here[column.name]._type_affinity is not column.type._type_affinity:
                found.append(f"table {table.name}: column {column.name} has type {here[column.name]}")
    return found


def _keys(connection: sa.Connection) -> Iterator[str]:
    """Yield experiments whose identity, which determines the result, does not give their key; and broken texts."""
    e = experiments.c
    for key, original, identity, options, classes in connection.execute(
        sa.select(e.key, e.original, e.identity, e.codec_options, e.classes).order_by(e.id)
    ):
        try:
            right = key_of(json.loads(identity)) == (original or key)
            json.loads(options)
            json.loads(classes or "[]")
        except (ValueError, TypeError, RecursionError):
            right = False
        if not right:
            yield f"experiment {str(key)[:12]}: its key is not that of its identity, or a text is no JSON"


def _references(connection: sa.Connection) -> Iterator[str]:
    """Yield experiments and comparisons that name an experiment that is not there."""
    e, c = experiments.c, comparisons.c
    keys = sa.select(e.key)
    for key, baseline in connection.execute(
        sa.select(e.key, e.baseline).where(e.baseline.is_not(None), e.baseline.not_in(keys))
    ):
        yield f"experiment {key[:12]}: its baseline {str(baseline)[:12]} is not there"
    for key, other in connection.execute(sa.select(c.experiment, c.other).where(c.other.not_in(keys)).distinct()):
        yield f"experiment {key[:12]}: it is compared with {str(other)[:12]}, which is not there"


def _other_samples(connection: sa.Connection) -> Iterator[str]:
    """Yield experiments whose samples have other names or groups than those of their baseline, on the same dataset."""
    one, base = samples.alias("one"), samples.alias("base")
    experiment, baseline = experiments.alias("experiment"), experiments.alias("baseline")
    query = (
        sa.select(experiment.c.key, one.c.sample_index)
        .join(baseline, baseline.c.key == experiment.c.baseline)
        .join(one, one.c.experiment_id == experiment.c.id)
        .join(base, sa.and_(base.c.experiment_id == baseline.c.id, base.c.sample_index == one.c.sample_index))
        .where(sa.or_(one.c.sample != base.c.sample, one.c.group != base.c.group))
    )
    for key, index in connection.execute(query):
        yield f"experiment {key[:12]}: sample {index} has another name or group than in its baseline"
