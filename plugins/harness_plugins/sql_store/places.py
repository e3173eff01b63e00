"""The rows of the table `places`: where the rows of an experiment were computed, by the run that computed them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from harness.errors import StoreError
from harness.records import Placed
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import with_digest
from harness_plugins.sql_store.schema import places

__all__ = ["add", "read"]


def add(connection: sa.Connection, placed: Sequence[Placed]) -> None:
    """Add numbers of rows to those of experiments, runs and places.

    Raises:
        StoreError: a number of rows is negative.
    """
    c = places.c
    for one in placed:
        if one.rows < 0:
            raise StoreError(f"experiment {one.experiment[:12]} at {one.place!r}: {one.rows} is no number of rows.")
        this = sa.and_(c.experiment == one.experiment, c.run == one.run, c.place == one.place, c.device == one.device)
        known = connection.scalar(sa.select(c.rows).where(this)) or 0
        connection.execute(sa.delete(places).where(this))
        row = {name: getattr(one, name) for name in ("experiment", "run", "place", "device")}
        connection.execute(sa.insert(places).values(with_digest(places, {**row, "rows": known + one.rows})))


def read(connection: sa.Connection, keys: Sequence[str]) -> list[Placed]:
    """Return where the rows of experiments were computed, sorted by experiment, run, place and device."""
    c = places.c
    found: list[Placed] = []
    for batch in chunks(keys):
        query = sa.select(c.experiment, c.run, c.place, c.device, c.rows).where(c.experiment.in_(batch))
        found += [Placed(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda one: (one.experiment, one.run, one.place, one.device))
