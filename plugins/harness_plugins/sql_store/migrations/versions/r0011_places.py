"""Experiments know where each of their rows was computed. On PostgreSQL, numbers in views are no exact decimals."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, PrimaryKeyConstraint, Text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # The views are created anew after each upgrade: those of 0010 had exact decimals on PostgreSQL at first.
    op.create_table(
        "places",
        Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
        Column("run", Integer, ForeignKey("runs.id"), nullable=False),
        Column("place", Text, nullable=False),
        Column("device", Text, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("digest", Text),
        PrimaryKeyConstraint("experiment", "run", "place", "device", name="pk_places"),
        sqlite_with_rowid=False,
    )
