"""Experiments know the names of their classes, without which nobody can compute anything anew from their statistics."""

import json

from alembic import op
from sqlalchemy import Column, Connection, Text, text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("experiments", Column("classes", Text))
    _fill(op.get_bind())


def _fill(connection: Connection) -> None:
    """Tasks that have a metric for each class name it NAME[class]; of others, the next run over the same data knows."""
    query = "SELECT experiment, metric FROM metrics WHERE metric LIKE '%[%]' ORDER BY experiment, position"
    families: dict[str, dict[str, list[str]]] = {}
    for key, metric in connection.execute(text(query)):
        name, _, rest = metric.partition("[")
        families.setdefault(key, {}).setdefault(name, []).append(rest.removesuffix("]"))
    for key, found in families.items():
        classes = json.dumps(next(iter(found.values())))
        connection.execute(
            text("UPDATE experiments SET classes = :classes WHERE key = :key"), {"classes": classes, "key": key}
        )
