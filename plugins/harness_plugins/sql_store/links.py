"""Find columns of experiments that are in no digest, or have none, and contradict what the row is by its key.

A row's key is the hash of its identity. So what the row says of codec, task and dataset, which baseline it names, and
of what it is an earlier record, can be told from it, also in rows of versions that wrote no digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from harness.experiment import subject_key
from harness_plugins.sql_store.record_keys import provisional_key, record_key
from harness_plugins.sql_store.schema import checkpoints, comparisons, experiments, places, runs, stages

__all__ = ["contradictions", "not_covered"]

_RECORDS = 100
"""More records of one experiment that one process finished in one second are not looked for."""


def contradictions(connection: sa.Connection) -> Iterator[str]:
    """Yield a sentence for each experiment whose columns contradict its identity, or what it is."""
    e = experiments.c
    described = sa.select(experiments, runs.c.host, runs.c.process).join(runs, runs.c.id == e.run).order_by(e.id)
    rows = [dict(row) for row in connection.execute(described).mappings()]
    subjects, identities = {}, {}
    for row in rows:
        try:
            identities[row["key"]] = json.loads(row["identity"])
            subjects[row["key"]] = subject_key(identities[row["key"]])
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue  # which is told as a key that is not that of its identity
    baselines = {row["key"] for row in rows if _is_baseline(row)}
    c = comparisons.c
    compared = set(connection.execute(sa.select(c.experiment).where(c.kind == "drop").distinct()).scalars())
    for row in rows:
        key, who = row["key"], f"experiment {str(row['key'])[:12]}"
        if key not in subjects:
            continue
        for column, value in _stated(identities[key]).items():
            if row[column] != value:
                yield f"{who}: {column} is {row[column]!r}, its identity says {value!r}"
        base = row["baseline"]
        if base in subjects and (base not in baselines or subjects[base] != subjects[key]):
            yield f"{who}: its baseline {str(base)[:12]} is not the uncompressed experiment of its model and dataset"
        if base is None and key in compared:
            yield f"{who}: it has drops, and names no baseline"
        if problem := _record(row):
            yield f"{who}: {problem}"


def not_covered(connection: sa.Connection) -> Iterator[str]:
    """Yield, for each table, how many rows are over and have no digest, so that no change of them can be told."""
    e = experiments.c
    over = e.status.in_(["finished", "failed"])
    for table, where in (
        (experiments, over),
        *((table, sa.true()) for table in (comparisons, stages, places, checkpoints)),
        (runs, runs.c.status != "running"),
    ):
        rows = sa.select(sa.func.count()).select_from(table).where(table.c.digest.is_(None), where)
        if count := connection.execute(rows).scalar_one():
            several = f"{count} rows have" if count > 1 else "1 row has"
            yield (
                f"not covered: {several} no digest in table {table.name} (an earlier version wrote none); a change of "
                "what cannot be computed again is not seen there"
            )


def _is_baseline(row: Mapping[str, Any]) -> bool:
    return bool(row["codec"] == "none" and row["codec_options"] == "{}" and row["training"] == "pretrained")


def _stated(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that an identity states, as far as it does."""
    found: dict[str, Any] = {}
    places = {
        "codec": ("codec", "name"),
        "level": ("codec", "level"),
        "task": ("task", "name"),
        "split": ("dataset", "split"),
        "batch": ("batch", "size"),
        "training": ("training", "kind"),
        "checkpoint": ("training", "job"),
    }
    for column, (part, field) in places.items():
        if isinstance(identity.get(part), Mapping) and field in identity[part]:
            found[column] = identity[part][field]
    found |= {name: identity[name] for name in ("precision", "reference") if isinstance(identity.get(name), str)}
    return found


def _record(row: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a row as the record of a time; None if it is right."""
    original, superseded_at = row["original"], row["superseded_at"]
    if original is None:
        return None if superseded_at is None else "it is marked as superseded, and nothing took its place"
    if superseded_at is None:
        right = row["key"] == provisional_key(original)
        return None if right else f"it is no record of {str(original)[:12]} that is being made, and not superseded"
    facts = (original, row["finished_at"], row["host"], row["process"])
    if all(row["key"] != record_key(*facts, number) for number in range(_RECORDS)):
        return f"its key is not that of a superseded record of {str(original)[:12]}"
    try:
        later = datetime.fromisoformat(superseded_at) >= datetime.fromisoformat(row["finished_at"])
    except (ValueError, TypeError):
        later = False
    return None if later else f"it is superseded at {superseded_at!r}, which is no time after it was finished"
