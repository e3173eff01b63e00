"""The tables of the database. `migrations/` creates them; a test checks that both agree.

Most tables identify an experiment by its key (SHA-256). The two large tables, `samples` and `statistics`, use the short
`experiments.id`. Booleans are stored as 0 and 1. Times are stored as ISO 8601 text in UTC, except `lease_until`, which
is in seconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
)

__all__ = [
    "REVISION",
    "checkpoints",
    "comparisons",
    "experiments",
    "metadata",
    "metrics",
    "places",
    "resamples",
    "runs",
    "samples",
    "stages",
    "statistics",
]

REVISION = "0011"
"""The newest revision in `migrations/versions`. Revisions are numbers, so that they can be compared."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("command", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("git", Text),
    Column("versions", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("digest", Text),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    # What the experiment measures.
    Column("codec", Text, nullable=False),
    Column("codec_options", Text, nullable=False),
    Column("level", Float),
    Column("level_name", Text),
    Column("intra", Boolean, nullable=False),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("weights", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("planned_samples", Integer, nullable=False),
    Column("precision", Text, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("training", Text, nullable=False),
    Column("train_codec", Text),
    Column("train_level", Float),
    Column("train_mode", Text),
    Column("parts", Text),
    Column("reference", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("baseline", Text),
    Column("checkpoint", Text),
    Column("control", Text),
    # Digests that related experiments share: `cell` with other trainings, `series` with other seeds of its training,
    # `ladder` with other levels.
    Column("cell", Text),
    Column("series", Text),
    Column("ladder", Text),
    Column("identity", Text, nullable=False),
    Column("classes", Text),
    # The process that works or worked on the experiment. `status` is NULL until the experiment is first claimed.
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("status", Text),
    Column("reason", Text),
    Column("owner", Text),
    Column("lease", Float),
    Column("lease_until", Float),
    Column("finished_at", Text),
    # Totals over the samples that succeeded.
    Column("samples", Integer),
    Column("failed_samples", Integer),
    Column("bits", BigInteger),
    Column("pixels", BigInteger),
    Column("bpp", Float),
    Column("bpp_mean", Float),
    Column("kbps", Float),
    Column("psnr", Float),
    Column("source_bpp", Float),
    Column("encode_ms", Float),
    Column("decode_ms", Float),
    Column("seconds", Float),
    Column("groups", Integer),
    # How the confidence intervals of its metrics were computed.
    Column("interval_method", Text),
    Column("resamples", Integer),
    Column("interval_seed", BigInteger),
    # Of the totals: the number of frames of the sources, which came later.
    Column("frames", BigInteger),
    # Whether torch compiled the network, which came later too.
    Column("compiled", Boolean, nullable=False, server_default=false()),
    # Of a record that is none of the current results, the key of the experiment that it is of: an experiment that is
    # computed again has a second record until it is finished, and then its first one is superseded (`again`). Such
    # records have neither `cell`, `series` nor `ladder`, so no view joins them with current results.
    Column("original", Text),
    Column("superseded_at", Text),
    # Of the row, its metrics and its samples, once it is finished or given up (`digests`); of other tables, of the row.
    Column("digest", Text),
    UniqueConstraint("key", name="uq_experiments_key"),
    Index("ix_experiments_baseline", "baseline", "training", "codec", "level"),
    Index("ix_experiments_status", "status"),
    Index("ix_experiments_cell", "cell", "training"),
    Index("ix_experiments_ladder", "ladder", "training", "status", "bpp", "key", "level"),
    Index("ix_experiments_subject", "task", "model", "dataset"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
    Column("metric", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("value", Float),
    Column("ci_low", Float),
    Column("ci_high", Float),
    Column("n", Integer, nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("higher_is_better", Boolean, nullable=False),
    Column("unit", Text, nullable=False),
    Column("reason", Text),
    PrimaryKeyConstraint("experiment", "metric", name="pk_metrics"),
    sqlite_with_rowid=False,
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
    Column("other", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Float),
    Column("ci_low", Float),
    Column("ci_high", Float),
    Column("n", Integer, nullable=False),
    Column("reason", Text),
    Column("digest", Text),
    PrimaryKeyConstraint("experiment", "metric", "kind", "other", name="pk_comparisons"),
    Index("ix_comparisons_other", "other"),
    sqlite_with_rowid=False,
)

# The resampled metrics of an experiment, as bytes. They are made of its statistics, and can be made again.
resamples = Table(
    "resamples",
    metadata,
    Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
    Column("resamples", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("experiment", name="pk_resamples"),
)

samples = Table(
    "samples",
    metadata,
    Column("experiment_id", Integer, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    Column("sample_index", Integer, nullable=False),
    Column("sample", Text, nullable=False),
    Column("group", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("bits", BigInteger),
    Column("pixels", BigInteger),
    Column("duration", Float),
    Column("squared_error", BigInteger),
    Column("psnr", Float),
    Column("source_bytes", BigInteger),
    Column("source_format", Text),
    Column("source_quality", Integer),
    Column("encode_ms", Float),
    Column("decode_ms", Float),
    Column("seconds", Float),
    Column("score", Float),
    Column("frames", Integer),
    PrimaryKeyConstraint("experiment_id", "sample_index", name="pk_samples"),
    sqlite_with_rowid=False,
)

statistics = Table(
    "statistics",
    metadata,
    Column("experiment_id", Integer, nullable=False),
    Column("sample_index", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("experiment_id", "sample_index", name="pk_statistics"),
    ForeignKeyConstraint(
        ["experiment_id", "sample_index"],
        ["samples.experiment_id", "samples.sample_index"],
        name="fk_statistics_samples",
        ondelete="CASCADE",
    ),
)

stages = Table(
    "stages",
    metadata,
    Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("digest", Text),
    PrimaryKeyConstraint("experiment", "run", "stage", name="pk_stages"),
    sqlite_with_rowid=False,
)

# How many rows of an experiment were computed where, as the executor names its places.
places = Table(
    "places",
    metadata,
    Column("experiment", Text, ForeignKey("experiments.key", ondelete="CASCADE"), nullable=False),
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("place", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("digest", Text),
    PrimaryKeyConstraint("experiment", "run", "place", "device", name="pk_places"),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("key", Text, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("status", Text),
    Column("reason", Text),
    Column("run", Integer, ForeignKey("runs.id")),
    Column("owner", Text),
    Column("lease", Float),
    Column("lease_until", Float),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("path", Text),
    Column("sha256", Text),
    Column("bytes", BigInteger),
    Column("steps", Integer),
    Column("seconds", Float),
    Column("loss_curve", Text),
    Column("digest", Text),
)
