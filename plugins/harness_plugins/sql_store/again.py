"""Experiments that are computed again: their second record, and the first one once it is superseded.

While an experiment is computed again, its record stays as it is. A second record with a provisional key takes the new
rows. When it is finished, it gets the experiment's key in one transaction, and the first record gets a key of its own.
So an interruption at any time leaves one whole record under the experiment's key.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.keep.processes import describe
from harness_plugins.sql_store.claims import status_now
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import is_intact, renamed, seal_experiments
from harness_plugins.sql_store.record_keys import provisional_key, record_key
from harness_plugins.sql_store.runs import now_text
from harness_plugins.sql_store.schema import comparisons, experiments, metadata, runs

__all__ = ["begin", "forget_stale", "supersede"]

_SHARED = ("cell", "series", "ladder")
"""Digests by which views join experiments. Only the record that counts has them."""

_DESCRIBING = (
    *("codec", "codec_options", "level", "level_name", "intra", "task", "model", "weights", "dataset", "split"),
    *("planned_samples", "precision", "batch", "training", "train_codec", "train_level", "train_mode", "parts"),
    *("reference", "seed", "checkpoint", "control", "identity", "classes", "run", "compiled"),
)
"""The columns that do not depend on what was computed. Without a baseline, nothing is compared with a second record."""


def begin(connection: sa.Connection, keys: Sequence[str]) -> dict[str, str]:
    """Give finished experiments a second record, unless they have one that was interrupted.

    Returns:
        key -> the provisional key of the second record.

    Raises:
        StoreError: an experiment is not finished, or another process computes it again at this time.
    """
    e = experiments.c
    begun: dict[str, str] = {}
    for batch in chunks(keys):
        rows = {row["key"]: row for row in _rows(connection, e.key.in_(batch))}
        seconds = {row["key"]: row for row in _rows(connection, e.key.in_([provisional_key(key) for key in batch]))}
        new = []
        for key in batch:
            row, provisional = rows.get(key), provisional_key(key)
            if row is None or row["status"] != "finished" or row["original"] is not None:
                raise StoreError(f"experiment {key[:12]} is not finished, so it cannot be computed again.")
            second = seconds.get(provisional)
            if second is None:
                new.append({**{name: row[name] for name in _DESCRIBING}, "key": provisional, "original": key})
            elif _now(second) == "running":
                holder = describe(second["owner"])
                raise StoreError(f"experiment {key[:12]} is computed again by {holder} at this time. Wait for its end.")
            begun[key] = provisional
        if new:
            connection.execute(sa.insert(experiments), new)
    return begun


def supersede(connection: sa.Connection, keys: Sequence[str]) -> dict[str, str]:
    """Put the second records of experiments, where they are finished, in the place of the first ones.

    Comparisons with an experiment that is superseded are deleted, to be computed anew.

    Returns:
        key -> the key of the record that is superseded.
    """
    records: dict[str, str] = {}
    for key in keys:
        provisional = provisional_key(key)
        rows = {row["key"]: row for row in _rows(connection, experiments.c.key.in_([key, provisional]))}
        if provisional not in rows or rows[provisional]["status"] != "finished":
            continue
        old, new = rows[key], rows[provisional]
        intact = [row["id"] for row in (old, new) if is_intact(connection, row["id"])]
        record = _new_record_key(connection, old)
        forget_stale(connection, key)
        moved = [(table, *_taken_out(connection, table, key, provisional)) for table in _belonging()]
        kept = {"baseline": old["baseline"], **{name: old[name] for name in _SHARED}}
        gone = {**dict.fromkeys(_SHARED), "original": key, "superseded_at": now_text(), "key": record}
        _update(connection, old["id"], gone)
        _update(connection, new["id"], {**kept, "original": None, "key": key})
        for table, of_old, of_new in moved:
            together = [renamed(table, row, record) for row in of_old] + [renamed(table, row, key) for row in of_new]
            if together:
                connection.execute(sa.insert(table), together)
        seal_experiments(connection, intact)
        records[key] = record
    return records


def forget_stale(connection: sa.Connection, key: str) -> None:
    """Delete the comparisons of current experiments with an experiment whose results change.

    Of an experiment whose baseline changes, these are all: its recovery is a share of the baseline's distance.
    """
    e, c = experiments.c, comparisons.c
    superseded = sa.select(e.key).where(e.superseded_at.is_not(None))
    dependent = sa.select(e.key).where(e.baseline == key, e.superseded_at.is_(None))
    stale = sa.or_(sa.and_(c.other == key, c.experiment.not_in(superseded)), c.experiment.in_(dependent))
    connection.execute(sa.delete(comparisons).where(stale))


def _new_record_key(connection: sa.Connection, row: Mapping[str, Any]) -> str:
    run = connection.execute(sa.select(runs.c.host, runs.c.process).where(runs.c.id == row["run"])).one()
    for number in itertools.count():
        record = record_key(row["key"], row["finished_at"], run.host, run.process, number)
        if not _rows(connection, experiments.c.key == record):
            break
    return record


def _rows(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    query = sa.select(experiments).where(condition).order_by(experiments.c.id).with_for_update()
    return [dict(row._mapping) for row in connection.execute(query)]


def _now(row: Mapping[str, Any]) -> str:
    return status_now(row["status"], row["owner"], row["lease"], row["lease_until"])


def _belonging() -> list[sa.Table]:
    """Return the tables whose rows name an experiment by its key, in their column `experiment`."""
    tables = [table for table in metadata.sorted_tables if "experiment" in table.c]
    return [table for table in tables if any(k.column is experiments.c.key for k in table.c.experiment.foreign_keys)]


def _taken_out(
    connection: sa.Connection, table: sa.Table, *keys: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Take the rows of two experiments out of a table: no row may name a key while that changes."""
    found = [
        [dict(row._mapping) for row in connection.execute(sa.select(table).where(table.c.experiment == key))]
        for key in keys
    ]
    connection.execute(sa.delete(table).where(table.c.experiment.in_(keys)))
    return found[0], found[1]


def _update(connection: sa.Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(sa.update(experiments).where(experiments.c.id == number).values(**values))
