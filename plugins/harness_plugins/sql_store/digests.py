"""Digests of rows, which tell rows that were altered by anything but this program.

The digest of an experiment is over its row, its metrics and its samples; it is written when the experiment finishes or
is given up, and removed when it is claimed. The digests of runs, comparisons, stages, places and checkpoints are over
their own row. Statistics have a checksum of their own (`harness.statistics.packing`).

A column that this program fills in later, or that a merge changes, is in no digest: ids, claims, the run, the baseline
(whose absence shows) and the classes (by which the metrics are named).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness_plugins.sql_store.schema import (
    checkpoints,
    comparisons,
    experiments,
    metrics,
    places,
    runs,
    samples,
    stages,
)

__all__ = [
    *(
        "altered",
        "experiment_digest",
        "is_intact",
        "not_continued",
        "renamed",
        "require_unaltered",
        "seal_experiments",
        "seal_rows",
    ),
    "with_digest",
]

_EXPERIMENT = (
    *("key", "codec", "codec_options", "level", "level_name", "intra", "task", "model", "weights", "dataset", "split"),
    *("planned_samples", "precision", "batch", "training", "train_codec", "train_level", "train_mode", "parts"),
    *("reference", "seed", "checkpoint", "control", "cell", "series", "ladder", "identity", "status", "reason"),
    *("finished_at", "samples", "failed_samples", "bits", "pixels", "bpp", "bpp_mean", "kbps", "psnr", "source_bpp"),
    *("encode_ms", "decode_ms", "seconds", "groups", "interval_method", "resamples", "interval_seed", "frames"),
    "compiled",
)
_METRIC = (
    *("metric", "position", "value", "ci_low", "ci_high", "n", "is_primary", "higher_is_better", "unit", "reason"),
)
_SAMPLE = (
    *("sample_index", "sample", "group", "status", "error", "bits", "pixels", "duration", "squared_error", "psnr"),
    *("source_bytes", "source_format", "source_quality", "encode_ms", "decode_ms", "seconds", "score", "frames"),
)
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "runs": (
        *("command", "status", "started_at", "finished_at", "host", "process", "device", "git", "versions"),
        "settings",
    ),
    "comparisons": ("experiment", "other", "metric", "kind", "value", "ci_low", "ci_high", "n", "reason"),
    "stages": ("experiment", "stage", "seconds"),
    "places": ("experiment", "place", "device", "rows"),
    "checkpoints": (
        *("key", "identity", "status", "reason", "finished_at", "path", "sha256", "bytes", "steps", "seconds"),
        "loss_curve",
    ),
}
"""The columns in a digest. They are listed, so that a column that a later schema adds does not change digests."""
_NAMES = {
    "comparisons": ("experiment", "metric"),
    "stages": ("experiment", "stage"),
    "places": ("experiment", "place"),
    "runs": ("id",),
}


_ALTERED = (
    "was altered since it was interrupted or failed: its row or its samples are not as they were written, so it is not "
    "continued. `harness doctor --database` says what else is wrong. Restore the database from a copy, or name another "
    "with --db."
)


def with_digest(table: sa.Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the columns of a row of one of the small tables, with its digest."""
    return {**row, "digest": _digest([row.get(name) for name in _COLUMNS[table.name]])}


def renamed(table: sa.Table, row: Mapping[Any, Any], experiment: str) -> dict[str, Any]:
    """Return a row of a table for the experiment's new key, with a new digest if it had the right one."""
    changed = {**row, "experiment": experiment}
    sealed = table.name in _COLUMNS and row["digest"] is not None and with_digest(table, row)["digest"] == row["digest"]
    return with_digest(table, changed) if sealed else changed


def is_intact(connection: sa.Connection, number: int) -> bool:
    """Return whether an experiment, given by its id, has a digest, and is as it was written."""
    row = connection.execute(_raw_rows().where(experiments.c.id == number)).mappings().one()
    return row["digest"] is not None and experiment_digest(connection, row) == row["digest"]


def seal_rows(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
    """Write the digests of rows of one of the small tables, from what the rows hold."""
    key = list(table.primary_key)
    for row in connection.execute(sa.select(table).where(*where)).mappings().all():
        same = [column == row[column.name] for column in key]
        connection.execute(sa.update(table).where(*same).values(digest=with_digest(table, row)["digest"]))


def seal_experiments(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Write the digests of experiments, from what their rows, metrics and samples hold."""
    for number in ids:
        row = (
            connection.execute(sa.select(*map(_raw, experiments.c)).where(experiments.c.id == number)).mappings().one()
        )
        digest = experiment_digest(connection, row)
        connection.execute(sa.update(experiments).where(experiments.c.id == number).values(digest=digest))


def experiment_digest(connection: sa.Connection, row: Mapping[Any, Any]) -> str:
    """Return the digest of an experiment.

    Args:
        connection: a connection in a transaction.
        row: the experiment's row of the table `experiments`.
    """
    digest = hashlib.sha256(_text([row[name] for name in _EXPERIMENT]))
    of_metrics = sa.select(*(_raw(metrics.c[name]) for name in _METRIC)).where(metrics.c.experiment == row["key"])
    of_samples = sa.select(*(_raw(samples.c[name]) for name in _SAMPLE)).where(samples.c.experiment_id == row["id"])
    for query in (of_metrics.order_by(metrics.c.position), of_samples.order_by(samples.c.sample_index)):
        for values in connection.execute(query, execution_options={"yield_per": 1000}):
            digest.update(_text(values))
        digest.update(b"\n")
    return digest.hexdigest()


def require_unaltered(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Check experiments before they are continued: what was altered would get a digest as if it had been measured.

    Raises:
        StoreError: an experiment has a digest that is not the one of what it holds.
    """
    for number in ids:
        row = connection.execute(_raw_rows().where(experiments.c.id == number)).mappings().one()
        if row["digest"] is not None and experiment_digest(connection, row) != row["digest"]:
            raise StoreError(f"experiment {row['key'][:12]} {_ALTERED}")


def not_continued(connection: sa.Connection, keys: Iterable[str]) -> dict[str, str]:
    """Return why experiments that are not finished are not continued; those that are as they were are left out."""
    e = experiments.c
    found = {}
    for row in (
        connection.execute(_raw_rows().where(e.key.in_(list(keys)), e.status != "finished", e.digest.is_not(None)))
        .mappings()
        .all()
    ):
        if experiment_digest(connection, row) != row["digest"]:
            found[row["key"]] = f"it {_ALTERED}"
    return found


def altered(connection: sa.Connection) -> Iterator[str]:
    """Yield a sentence for each row whose digest is not the one of what it holds. Rows without one are passed over."""
    for row in (
        connection.execute(sa.select(*map(_raw, experiments.c)).where(experiments.c.digest.is_not(None)))
        .mappings()
        .all()
    ):
        if experiment_digest(connection, row) != row["digest"]:
            yield (
                f"experiment {str(row['key'])[:12]} ({row['task']}, {row['codec']}, level {row['level']}): its row, "
                "its metrics or its samples are not as they were written"
            )
    for table in (runs, comparisons, stages, places, checkpoints):
        for row in connection.execute(sa.select(table).where(table.c.digest.is_not(None))).mappings():
            if with_digest(table, row)["digest"] != row["digest"]:
                names = ", ".join(str(row[name])[:12] for name in _NAMES.get(table.name, ("key",)))
                yield f"table {table.name}, row {names}: it is not as it was written"


def _raw_rows() -> sa.Select[Any]:
    return sa.select(*map(_raw, experiments.c))


def _raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return a column as it is stored: a boolean as a number, because SQLAlchemy takes a 2 for true, and views do
    not."""
    boolean = isinstance(column.type, sa.Boolean)
    return sa.type_coerce(column, sa.Integer).label(column.name) if boolean else column


def _digest(values: Iterable[Any]) -> str:
    return hashlib.sha256(_text(values)).hexdigest()


def _text(values: Iterable[Any]) -> bytes:
    """Return values as text: equal for equal values, whether a number is kept as an integer, a float or a boolean."""
    return repr([_plain(value) for value in values]).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value
