"""Indexes for the top of each ladder, and for the results of one model on one dataset."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_experiments_ladder", "experiments", ["ladder", "training", "status", "bpp", "key", "level"])
    op.create_index("ix_experiments_subject", "experiments", ["task", "model", "dataset"])
