"""Experiments keep the resampled values of some metrics, so that questions to results need not resample again."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "resamples",
        Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
        Column("resamples", Integer, nullable=False),
        Column("seed", BigInteger, nullable=False),
        Column("origin", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),
        PrimaryKeyConstraint("experiment", name="pk_resamples"),
    )
