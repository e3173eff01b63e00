"""Experiments can be computed again: the record of before is kept, and says since when it is superseded."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("experiments", Column("original", Text))
    op.add_column("experiments", Column("superseded_at", Text))
