"""Experiments know how long each of their stages took, and whether their network was compiled."""

from alembic import op
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, PrimaryKeyConstraint, Text, false

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # No earlier version compiled networks.
    op.add_column("experiments", Column("compiled", Boolean, nullable=False, server_default=false()))
    op.create_table(
        "stages",
        Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
        Column("run", Integer, ForeignKey("runs.id"), nullable=False),
        Column("stage", Text, nullable=False),
        Column("seconds", Float, nullable=False),
        PrimaryKeyConstraint("experiment", "run", "stage", name="pk_stages"),
        sqlite_with_rowid=False,
    )
