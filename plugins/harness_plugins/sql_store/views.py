"""The views: the public interface of the database, which people script against. Columns are added, never changed.

Plain SQL that SQLite and PostgreSQL both read; only the clock differs between them.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

__all__ = ["BOOLEANS", "VIEWS", "columns_of", "create_views", "drop_views"]

VIEWS = ("results", "curves", "recovery", "per_sample")

BOOLEANS = frozenset({"is_primary", "higher_is_better"})
"""Columns that are true or false, which SQLite gives as 1 and 0."""

_CELL = """e.key AS experiment, e.run AS run, e.codec AS codec, e.codec_options AS codec_options, e.level AS level,
    e.level_name AS level_name, e.task AS task, e.model AS model, e.weights AS weights, e.dataset AS dataset,
    e.split AS split, e.training AS training, e.train_codec AS train_codec, e.train_level AS train_level,
    e.train_mode AS train_mode, e.parts AS parts, e.reference AS reference, e.seed AS seed"""

_CONDITIONS = "e.planned_samples AS planned_samples, e.precision AS precision, e.batch AS batch"

_UNCOMPRESSED = "e.codec = 'none' AND e.codec_options = '{}'"  # with a lever, `none` loses pixels

_BPP = f"COALESCE(e.bpp, CASE WHEN {_UNCOMPRESSED} THEN 24.0 END)"

_RESULTS = f"""CREATE VIEW results AS
SELECT {_CELL},
    m.metric AS metric, m.value AS value, m.ci_low AS ci_low, m.ci_high AS ci_high,
    m.is_primary AS is_primary, m.higher_is_better AS higher_is_better,
    {_BPP} AS bpp, e.kbps AS kbps, (e.bits + 7) / 8 AS bytes, e.psnr AS psnr,
    e.encode_ms AS encode_ms, e.decode_ms AS decode_ms, e.samples AS samples, e.failed_samples AS failed_samples,
    e.seconds AS seconds,
    CASE WHEN e.status = 'running' AND e.lease_until < %NOW% THEN 'interrupted' ELSE e.status END AS status,
    e.finished_at AS finished_at, {_CONDITIONS}, e.groups AS groups
FROM experiments e
LEFT JOIN metrics m ON m.experiment = e.key
WHERE e.status IS NOT NULL"""

# The baseline itself has no other: its drop is 0 by definition.
_IS_BASELINE = f"e.baseline IS NULL AND {_UNCOMPRESSED} AND e.training = 'pretrained' AND m.value IS NOT NULL"

_CURVES = f"""CREATE VIEW curves AS
SELECT {_CELL},
    m.metric AS metric, m.value AS value,
    CASE WHEN {_IS_BASELINE} THEN m.value ELSE b.value END AS baseline,
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.value END AS "drop",
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.ci_low END AS drop_ci_low,
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.ci_high END AS drop_ci_high,
    CASE WHEN {_IS_BASELINE} THEN 0.0 / NULLIF(m.value, 0) ELSE c.value / NULLIF(ABS(b.value), 0) END AS relative_drop,
    {_BPP} AS bpp, 24.0 / NULLIF({_BPP}, 0) AS compression_ratio, e.source_bpp AS source_bpp,
    m.is_primary AS is_primary, {_CONDITIONS}
FROM experiments e
JOIN metrics m ON m.experiment = e.key
LEFT JOIN experiments be ON be.key = e.baseline AND be.status = 'finished'
LEFT JOIN metrics b ON b.experiment = be.key AND b.metric = m.metric
LEFT JOIN comparisons c ON c.experiment = e.key AND c.metric = m.metric AND c.kind = 'drop' AND c.other = e.baseline
WHERE e.status = 'finished'"""

# Retrained cells meet the pretrained one of the same codec, options, level and baseline; the baseline's key stands for
# task, model, dataset, split, limit and seed of the subset at once. `clean` is the same training on uncompressed data.
_SAME_CELL = """{0}.baseline = e.baseline AND {0}.codec = e.codec AND {0}.codec_options = e.codec_options
    AND COALESCE({0}.level, -1e9) = COALESCE(e.level, -1e9)
    AND {0}.training = 'retrained' AND {0}.status = 'finished'"""


def _compared(alias: str, kind: str) -> str:
    return f"""LEFT JOIN comparisons {alias} ON {alias}.experiment = r.key AND {alias}.metric = m.metric
    AND {alias}.kind = '{kind}' AND {alias}.other = {"k.key" if kind == "net_recovery" else "e.key"}"""


_RECOVERY = f"""CREATE VIEW recovery AS
SELECT e.codec AS codec, e.codec_options AS codec_options, e.level AS level, e.level_name AS level_name,
    e.task AS task, e.model AS model, e.weights AS weights, e.dataset AS dataset, e.split AS split,
    e.reference AS reference, COALESCE(r.seed, e.seed) AS seed,
    r.train_codec AS train_codec, r.train_level AS train_level, r.train_mode AS train_mode, r.parts AS parts,
    m.metric AS metric, m.is_primary AS is_primary, m.higher_is_better AS higher_is_better,
    b.value AS baseline, m.value AS pretrained, rm.value AS retrained, km.value AS clean,
    cr.value AS recovery, cr.ci_low AS recovery_ci_low, cr.ci_high AS recovery_ci_high,
    cn.value AS net_recovery, cn.ci_low AS net_recovery_ci_low, cn.ci_high AS net_recovery_ci_high,
    COALESCE(cr.reason, cn.reason) AS reason, e.bpp AS bpp,
    e.key AS experiment, r.key AS retrained_experiment, k.key AS clean_experiment,
    cg.value AS gain, cg.ci_low AS gain_ci_low, cg.ci_high AS gain_ci_high,
    cs.value AS study_gain, cs.ci_low AS study_gain_ci_low, cs.ci_high AS study_gain_ci_high,
    nm.value AS retrained_on_none
FROM experiments e
JOIN metrics m ON m.experiment = e.key
LEFT JOIN experiments be ON be.key = e.baseline AND be.status = 'finished'
LEFT JOIN metrics b ON b.experiment = be.key AND b.metric = m.metric
LEFT JOIN experiments r ON {_SAME_CELL.format("r")} AND r.train_mode <> 'clean'
LEFT JOIN metrics rm ON rm.experiment = r.key AND rm.metric = m.metric
LEFT JOIN experiments k ON {_SAME_CELL.format("k")} AND k.checkpoint = r.control
LEFT JOIN metrics km ON km.experiment = k.key AND km.metric = m.metric
LEFT JOIN experiments n ON n.baseline = e.baseline AND n.checkpoint = r.checkpoint AND n.status = 'finished'
    AND n.codec = 'none' AND n.codec_options = '{{}}'
LEFT JOIN metrics nm ON nm.experiment = n.key AND nm.metric = m.metric
{_compared("cr", "recovery")}
{_compared("cn", "net_recovery")}
{_compared("cg", "gain")}
{_compared("cs", "study_gain")}
WHERE e.status = 'finished' AND e.training = 'pretrained' AND NOT ({_UNCOMPRESSED})"""

_PER_SAMPLE = """CREATE VIEW per_sample AS
SELECT e.key AS experiment, s.sample AS sample, s."group" AS "group", (s.bits + 7) / 8 AS bytes, s.pixels AS pixels,
    s.psnr AS psnr, s.seconds AS seconds, s.status AS status, s.error AS error, s.score AS score
FROM samples s
JOIN experiments e ON e.id = s.experiment_id"""

_SQL = {"results": _RESULTS, "curves": _CURVES, "recovery": _RECOVERY, "per_sample": _PER_SAMPLE}

_NOW = {"sqlite": "CAST(strftime('%s', 'now') AS REAL)", "postgresql": "EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())"}


def create_views(connection: Connection) -> None:
    """Make every view anew."""
    drop_views(connection)
    for name in VIEWS:
        connection.exec_driver_sql(_SQL[name].replace("%NOW%", _NOW[connection.dialect.name]))


def drop_views(connection: Connection) -> None:
    """Take the views away: SQLite alters no table that a view names."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def columns_of(connection: Connection, name: str) -> list[str]:
    """The columns of a view, in order."""
    return list(connection.execute(text(f"SELECT * FROM {name} LIMIT 0")).keys())
