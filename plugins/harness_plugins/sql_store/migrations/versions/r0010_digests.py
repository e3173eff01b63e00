"""Rows know a digest of themselves, by which `harness doctor --database` finds what was altered."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("runs", "experiments", "comparisons", "stages", "checkpoints"):
        op.add_column(table, Column("digest", Text))  # NULL in the rows of earlier versions
