"""The rows of the table `stages`: the seconds of each stage of an experiment, by the run that spent them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sqlalchemy as sa

from harness.errors import StoreError
from harness.store import STAGES
from harness_plugins.sql_store.digests import with_digest
from harness_plugins.sql_store.schema import stages

__all__ = ["add"]

WORKERS = "workers"
"""A number that is kept beside the seconds. It is replaced, not added to."""


def add(connection: sa.Connection, key: str, run: int, seconds: Mapping[str, float]) -> None:
    """Add seconds to those of an experiment and a run.

    Raises:
        StoreError: a stage is unknown, or its seconds are negative or not finite.
    """
    for stage, value in seconds.items():
        if stage not in (*STAGES, WORKERS):
            raise StoreError(f"there is no stage {stage!r}. There is: {', '.join((*STAGES, WORKERS))}.")
        if not math.isfinite(value) or value < 0:
            raise StoreError(f"stage {stage} of experiment {key[:12]}: {value!r} is no time.")
    if not seconds:
        return
    c = stages.c
    these = sa.and_(c.experiment == key, c.run == run, c.stage.in_(list(seconds)))
    known = {row.stage: row.seconds for row in connection.execute(sa.select(c.stage, c.seconds).where(these))}
    connection.execute(sa.delete(stages).where(these))
    rows = [
        {
            "experiment": key,
            "run": run,
            "stage": stage,
            "seconds": float(value) + (0.0 if stage == WORKERS else known.get(stage, 0.0)),
        }
        for stage, value in seconds.items()
    ]
    connection.execute(sa.insert(stages), [with_digest(stages, row) for row in rows])
