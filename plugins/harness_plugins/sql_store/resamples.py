"""The rows of the table `resamples`: the resampled metrics of an experiment, as bytes, at most one row for each."""

from __future__ import annotations

import sqlalchemy as sa

from harness.store import KeptResamples
from harness_plugins.sql_store.schema import resamples

__all__ = ["keep", "read"]


def keep(connection: sa.Connection, kept: KeptResamples) -> None:
    """Keep the resampled metrics of an experiment. They replace those that were kept before."""
    connection.execute(sa.delete(resamples).where(resamples.c.experiment == kept.key))
    values = {"resamples": kept.resamples, "seed": kept.seed, "origin": kept.origin, "data": kept.data}
    connection.execute(sa.insert(resamples).values(experiment=kept.key, **values))


def read(connection: sa.Connection, key: str) -> KeptResamples | None:
    """Return the resampled metrics that are kept of an experiment; None if there are none."""
    row = connection.execute(sa.select(resamples).where(resamples.c.experiment == key)).one_or_none()
    return None if row is None else KeptResamples(key, row.resamples, row.seed, row.origin, bytes(row.data))
