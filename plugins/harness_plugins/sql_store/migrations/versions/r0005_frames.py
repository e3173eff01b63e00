"""Samples and experiments know their number of frames, without which nobody knows a clip's size and frame rate."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("samples", Column("frames", Integer))
    op.add_column("experiments", Column("frames", BigInteger))
