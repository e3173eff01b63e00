"""Rows of `checkpoints`: one a training."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from harness.experiment import canonical
from harness.records import Checkpoint
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.runs import now_text
from harness_plugins.sql_store.schema import checkpoints

__all__ = ["keep", "read"]

_PLAIN = ("key", "path", "sha256", "bytes", "steps", "seconds", "loss_curve")


def keep(connection: sa.Connection, made: Checkpoint, run: int) -> None:
    """Record what a training made, in place of an older record."""
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.key == made.key))
    row = {
        **{name: getattr(made, name) for name in _PLAIN},
        "identity": canonical(made.identity),
        "status": "finished",
        "run": run,
        "finished_at": now_text(),
    }
    connection.execute(sa.insert(checkpoints).values(row))


def read(connection: sa.Connection, keys: Sequence[str]) -> dict[str, Checkpoint]:
    """What is recorded of trainings."""
    c = checkpoints.c
    found: dict[str, Checkpoint] = {}
    for some in chunks(keys):
        query = sa.select(c.identity, *(c[name] for name in _PLAIN)).where(c.key.in_(some))
        for row in connection.execute(query):
            values = dict(row._mapping)
            identity = json.loads(values.pop("identity"))
            found[row.key] = Checkpoint(identity=identity, **values)
    return found
