"""Experiments know what they share with others: all but the training, all but its seed, all but the level."""

import json
from collections.abc import Mapping
from typing import Any

from alembic import op
from sqlalchemy import Column, Connection, Text, text

from harness.experiment import key_of

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("cell", "series", "ladder"):
        op.add_column("experiments", Column(name, Text))
    op.create_index("ix_experiments_cell", "experiments", ["cell", "training"])
    _fill(op.get_bind())


def _fill(connection: Connection) -> None:
    trainings = {
        key: key_of(_without(json.loads(identity), "seed"))
        for key, identity in connection.execute(text("SELECT key, identity FROM checkpoints"))
    }
    rows = connection.execute(text("SELECT id, identity, checkpoint FROM experiments")).all()
    for number, identity, checkpoint in rows:
        cell = _without(json.loads(identity), "training")
        ladder = {**cell, "codec": _without(cell["codec"], "level")}
        # A training that was never recorded is a series of its own.
        filled = {"cell": key_of(cell), "ladder": key_of(ladder), "series": trainings.get(checkpoint, checkpoint)}
        query = "UPDATE experiments SET cell = :cell, ladder = :ladder, series = :series WHERE id = :id"
        connection.execute(text(query), {"id": number, **filled})


def _without(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != name}
