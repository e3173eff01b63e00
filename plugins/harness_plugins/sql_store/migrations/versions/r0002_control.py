"""Experiments know the training on uncompressed data that theirs is to be measured against."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("experiments", Column("control", Text))
