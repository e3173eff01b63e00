"""The rows of the table `checkpoints`: one row per training."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from harness.experiment import canonical
from harness.keep.texts import MESSAGE, storable
from harness.records import Checkpoint
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import with_digest
from harness_plugins.sql_store.runs import now_text
from harness_plugins.sql_store.schema import checkpoints

__all__ = ["keep", "read"]

_PLAIN = ("key", "path", "sha256", "bytes", "steps", "seconds", "loss_curve")


def keep(connection: sa.Connection, made: Checkpoint, run: int) -> None:
    """Store the record of a checkpoint. An older record of the same training is replaced."""
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.key == made.key))
    row = {
        **{name: getattr(made, name) for name in _PLAIN},
        "path": storable(made.path, MESSAGE),
        "identity": canonical(made.identity),
        "status": "finished",
        "run": run,
        "finished_at": now_text(),
    }
    connection.execute(sa.insert(checkpoints).values(with_digest(checkpoints, row)))


def read(connection: sa.Connection, keys: Sequence[str]) -> dict[str, Checkpoint]:
    """Return the checkpoint records of trainings, by the training's key."""
    c = checkpoints.c
    checkpoints_by_key: dict[str, Checkpoint] = {}
    for batch in chunks(keys):
        query = sa.select(c.identity, *(c[name] for name in _PLAIN)).where(c.key.in_(batch))
        for row in connection.execute(query):
            values = dict(row._mapping)
            identity = json.loads(values.pop("identity"))
            checkpoints_by_key[row.key] = Checkpoint(identity=identity, **values)
    return checkpoints_by_key
