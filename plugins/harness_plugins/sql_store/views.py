"""The SQL views: the public interface of the database, for users' own scripts. Columns are only added, never changed.

The SQL works on both SQLite and PostgreSQL; only the expressions for the current time and for a part of a JSON text
differ.
"""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import Connection, text

from harness_plugins.sql_store.profile_view import profile_view

__all__ = ["BOOLEANS", "VIEWS", "VIEWS_SHA256", "columns_of", "create_views", "drop_views", "foreign_views"]

VIEWS = ("results", "curves", "recovery", "seeds", "per_sample", "profile", "superseded")

VIEWS_SHA256 = "e6a76ad13ce924ff47da77892df9a66ba7277969b35f59aa413f418e3b34c80f"
"""Of the SQL of all views on SQLite, as `foreign_views` computes it. A test says what it is, when a view changes.

It is written down here because a view has numbers that take the import of NumPy to compute.
"""

BOOLEANS = frozenset({"is_primary", "higher_is_better", "compiled"})
"""Boolean columns, which SQLite returns as 1 and 0."""

_CELL = """e.key AS experiment, e.run AS run, e.codec AS codec, e.codec_options AS codec_options, e.level AS level,
    e.level_name AS level_name, e.task AS task, e.model AS model, e.weights AS weights, e.dataset AS dataset,
    e.split AS split, e.training AS training, e.train_codec AS train_codec, e.train_level AS train_level,
    e.train_mode AS train_mode, e.parts AS parts, e.reference AS reference, e.seed AS seed"""

_CONDITIONS = "e.planned_samples AS planned_samples, e.precision AS precision, e.batch AS batch"

# With options (a smaller image or a lower frame rate), `none` loses information.
_UNCOMPRESSED = "e.codec = 'none' AND e.codec_options = '{}'"

_CURRENT = "e.original IS NULL"
"""Neither superseded nor about to supersede another record (`harness_plugins.sql_store.again`)."""

_BPP = f"COALESCE(e.bpp, CASE WHEN {_UNCOMPRESSED} THEN 24.0 END)"

_RESULTS = f"""CREATE VIEW results AS
SELECT {_CELL},
    m.metric AS metric, m.value AS value, m.ci_low AS ci_low, m.ci_high AS ci_high,
    m.is_primary AS is_primary, m.higher_is_better AS higher_is_better,
    {_BPP} AS bpp, e.kbps AS kbps, (e.bits + 7) / 8 AS bytes, e.psnr AS psnr,
    e.encode_ms AS encode_ms, e.decode_ms AS decode_ms, e.samples AS samples, e.failed_samples AS failed_samples,
    e.seconds AS seconds,
    CASE WHEN e.status = 'running' AND e.lease_until < %NOW% THEN 'interrupted' ELSE e.status END AS status,
    e.finished_at AS finished_at, {_CONDITIONS}, e.groups AS groups, e.cell AS cell, e.series AS series,
    e.pixels * 1.0 / NULLIF(COALESCE(e.frames, CASE WHEN e.kbps IS NULL THEN e.samples END), 0) AS frame_pixels,
    %DATASET_OPTIONS% AS dataset_options, e.compiled AS compiled
FROM experiments e
LEFT JOIN metrics m ON m.experiment = e.key
WHERE e.status IS NOT NULL AND {_CURRENT}"""

# The baseline has no baseline of its own: its drop is 0 by definition.
_IS_BASELINE = f"e.baseline IS NULL AND {_UNCOMPRESSED} AND e.training = 'pretrained' AND m.value IS NOT NULL"

# The mildest tested level of the pretrained model. A study without uncompressed data uses it as its reference.
# The database reads the index `ix_experiments_ladder` from its end, up to the first rate, instead of sorting a ladder.
_TOP = """(SELECT t.key FROM experiments t
    WHERE t.ladder = e.ladder AND t.training = 'pretrained' AND t.status = 'finished' AND t.level IS NOT NULL
        AND t.bpp IS NOT NULL
    ORDER BY t.bpp DESC, t.key LIMIT 1)"""

_FROM_TOP = "(tm.value - m.value) * CASE WHEN m.higher_is_better THEN 1 ELSE -1 END"

_CURVES = f"""CREATE VIEW curves AS
SELECT {_CELL},
    m.metric AS metric, m.value AS value,
    CASE WHEN {_IS_BASELINE} THEN m.value ELSE b.value END AS baseline,
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.value END AS "drop",
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.ci_low END AS drop_ci_low,
    CASE WHEN {_IS_BASELINE} THEN 0.0 ELSE c.ci_high END AS drop_ci_high,
    CASE WHEN {_IS_BASELINE} THEN 0.0 / NULLIF(m.value, 0) ELSE c.value / NULLIF(ABS(b.value), 0) END AS relative_drop,
    {_BPP} AS bpp, 24.0 / NULLIF({_BPP}, 0) AS compression_ratio, e.source_bpp AS source_bpp,
    m.is_primary AS is_primary, {_CONDITIONS},
    tops.level AS top_level, tm.value AS top, {_FROM_TOP} AS drop_from_top,
    {_FROM_TOP} / NULLIF(ABS(tm.value), 0) AS relative_drop_from_top, e.compiled AS compiled
FROM experiments e
JOIN metrics m ON m.experiment = e.key
LEFT JOIN experiments be ON be.key = e.baseline AND be.status = 'finished'
LEFT JOIN metrics b ON b.experiment = be.key AND b.metric = m.metric
LEFT JOIN experiments tops ON tops.key = {_TOP}
LEFT JOIN metrics tm ON tm.experiment = tops.key AND tm.metric = m.metric
LEFT JOIN comparisons c ON c.experiment = e.key AND c.metric = m.metric AND c.kind = 'drop' AND c.other = e.baseline
WHERE e.status = 'finished' AND {_CURRENT}"""

# Each retrained experiment `r` is joined with the pretrained experiment `e` of the same cell. `k` is a model from the
# same training on uncompressed data; `n` is the retrained model tested on uncompressed data.


def _compared(alias: str, kind: str, experiment: str = "r", other: str = "e") -> str:
    """Return the SQL join of a stored comparison between two experiments, given by their table aliases."""
    return f"""LEFT JOIN comparisons {alias} ON {alias}.experiment = {experiment}.key AND {alias}.metric = m.metric
    AND {alias}.kind = '{kind}' AND {alias}.other = {other}.key"""


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
    nm.value AS retrained_on_none, cc.value AS cost_on_none, cc.ci_low AS cost_on_none_ci_low,
    cc.ci_high AS cost_on_none_ci_high, r.series AS series, {_CONDITIONS}, e.compiled AS compiled
FROM experiments e
JOIN metrics m ON m.experiment = e.key
LEFT JOIN experiments be ON be.key = e.baseline AND be.status = 'finished'
LEFT JOIN metrics b ON b.experiment = be.key AND b.metric = m.metric
LEFT JOIN experiments r ON r.cell = e.cell AND r.training = 'retrained' AND r.status = 'finished'
    AND r.train_mode <> 'clean'
LEFT JOIN metrics rm ON rm.experiment = r.key AND rm.metric = m.metric
LEFT JOIN experiments k ON k.cell = e.cell AND k.checkpoint = r.control AND k.status = 'finished'
LEFT JOIN metrics km ON km.experiment = k.key AND km.metric = m.metric
LEFT JOIN experiments n ON n.cell = be.cell AND n.checkpoint = r.checkpoint AND n.status = 'finished'
LEFT JOIN metrics nm ON nm.experiment = n.key AND nm.metric = m.metric
{_compared("cr", "recovery")}
{_compared("cn", "net_recovery", other="k")}
{_compared("cg", "gain")}
{_compared("cs", "study_gain")}
{_compared("cc", "drop", "n", "be")}
WHERE e.status = 'finished' AND e.training = 'pretrained' AND NOT ({_UNCOMPRESSED}) AND {_CURRENT}"""

_SHARED = (
    *("codec", "codec_options", "level", "level_name", "task", "model", "weights", "dataset", "split", "reference"),
    *("train_codec", "train_level", "train_mode", "parts", "planned_samples", "precision", "batch", "series"),
)
"""Columns that are equal for all seeds of one training. Names may differ, for example of renamed weights."""

_OVER_SEEDS = {"value": "m", "gain": "cg", "recovery": "cr", "net_recovery": "cn"}
"""The quantities that are averaged over the seeds, each with the table alias that holds the value of one seed."""


def _over_seeds(name: str) -> str:
    """Return SQL for a quantity's mean, standard deviation and Student's 95% interval over the seeds.

    The result is NULL unless every seed has a value.
    """
    known = f"CASE WHEN COUNT({name}) = COUNT(*) THEN "
    mean, prefix = ("mean", "") if name == "value" else (name, f"{name}_")
    deviation = f"SQRT(SUM(({name} - {name}_mean) * ({name} - {name}_mean)) / NULLIF(COUNT(*) - 1, 0))"
    half = f"%STUDENT% * {deviation} / SQRT(COUNT(*))"
    return f"""{known} AVG({name}) END AS {mean}, {known} {deviation} END AS {prefix}sd,
    {known} AVG({name}) - {half} END AS {prefix}ci_low, {known} AVG({name}) + {half} END AS {prefix}ci_high"""


_SEEDS = f"""CREATE VIEW seeds AS
SELECT {", ".join(f"MIN({name}) AS {name}" for name in _SHARED)}, metric, is_primary, higher_is_better,
    COUNT(*) AS seeds, {", ".join(map(_over_seeds, _OVER_SEEDS))},
    CASE WHEN COUNT(value) < COUNT(*) THEN 'the metric is not defined for every seed'
        WHEN COUNT(recovery) < COUNT(*) AND MIN(reason) IS NOT NULL THEN MIN(reason)
        WHEN COUNT(*) = 1 THEN 'one seed has no spread' ELSE MIN(reason) END AS reason,
    MIN(experiment) AS experiment, compiled
FROM (
    SELECT r.key AS experiment, r.cell AS cell, {", ".join(f"r.{name} AS {name}" for name in _SHARED)},
        r.compiled AS compiled, m.metric AS metric, m.is_primary AS is_primary, m.higher_is_better AS higher_is_better,
        COALESCE(cr.reason, cn.reason) AS reason,
        {", ".join(f"{table}.value AS {'value' if table == 'm' else name}" for name, table in _OVER_SEEDS.items())},
        {", ".join(f"AVG({table}.value) OVER alike AS {name}_mean" for name, table in _OVER_SEEDS.items())}
    FROM experiments r
    JOIN metrics m ON m.experiment = r.key
    LEFT JOIN experiments e ON e.cell = r.cell AND e.training = 'pretrained'
    LEFT JOIN experiments k ON k.cell = r.cell AND k.checkpoint = r.control
    {_compared("cg", "gain")}
    {_compared("cr", "recovery")}
    {_compared("cn", "net_recovery", other="k")}
    WHERE r.status = 'finished' AND r.training = 'retrained' AND r.original IS NULL
    WINDOW alike AS (PARTITION BY r.cell, r.series, m.metric)
) each_seed
GROUP BY cell, each_seed.series, metric, is_primary, higher_is_better, compiled"""

_PER_SAMPLE = f"""CREATE VIEW per_sample AS
SELECT e.key AS experiment, s.sample AS sample, s."group" AS "group", (s.bits + 7) / 8 AS bytes, s.pixels AS pixels,
    s.psnr AS psnr, s.seconds AS seconds, s.status AS status, s.error AS error, s.score AS score
FROM samples s
JOIN experiments e ON e.id = s.experiment_id
WHERE {_CURRENT}"""

_SUPERSEDED = f"""CREATE VIEW superseded AS
SELECT {_CELL.replace("e.key AS experiment", "e.original AS experiment")},
    m.metric AS metric, m.value AS value, m.ci_low AS ci_low, m.ci_high AS ci_high,
    m.is_primary AS is_primary, m.higher_is_better AS higher_is_better,
    {_BPP} AS bpp, e.kbps AS kbps, (e.bits + 7) / 8 AS bytes, e.psnr AS psnr,
    e.encode_ms AS encode_ms, e.decode_ms AS decode_ms, e.samples AS samples, e.failed_samples AS failed_samples,
    e.seconds AS seconds, e.finished_at AS finished_at, {_CONDITIONS}, e.compiled AS compiled,
    e.superseded_at AS superseded_at, e.key AS record
FROM experiments e
LEFT JOIN metrics m ON m.experiment = e.key
WHERE e.superseded_at IS NOT NULL"""


_SQL = {
    **{"results": _RESULTS, "curves": _CURVES, "recovery": _RECOVERY, "seeds": _SEEDS},
    **{"per_sample": _PER_SAMPLE, "profile": profile_view(f"{_CELL}, {_CONDITIONS}, e.compiled AS compiled", _CURRENT)},
    "superseded": _SUPERSEDED,
}

_NOW = {"sqlite": "CAST(strftime('%s', 'now') AS REAL)", "postgresql": "EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())"}


_DATASET_OPTIONS = {
    "sqlite": "CASE WHEN json_valid(e.identity) THEN json_extract(e.identity, '$.dataset.options') END",
    "postgresql": "CAST(e.identity AS json) #>> '{dataset,options}'",
}

_DECIMAL = re.compile(r"(?<![\w.'])\d+\.\d+(?![\w.'])")


def create_views(connection: Connection) -> None:
    """Create all views anew."""
    drop_views(connection)
    dialect = connection.dialect.name
    for name in VIEWS:
        query = _SQL[name].replace("%NOW%", _NOW[dialect]).replace("%STUDENT%", _student())
        query = query.replace("%DATASET_OPTIONS%", _DATASET_OPTIONS[dialect])
        if dialect == "postgresql":  # there a written number is an exact decimal, not a floating-point number
            query = _DECIMAL.sub(r"CAST(\g<0> AS DOUBLE PRECISION)", query)
        connection.exec_driver_sql(query)


def _student(most: int = 30) -> str:
    """Return SQL for Student's two-sided 95% quantile for COUNT(*) values.

    For more than `most` values it gives the quantile for `most` values, which is slightly larger.
    """
    from harness.statistics.intervals import student

    cases = " ".join(f"WHEN {count} THEN {student(count - 1)!r}" for count in range(2, most))
    return f"CASE COUNT(*) WHEN 1 THEN NULL {cases} ELSE {student(most - 1)!r} END"


def drop_views(connection: Connection) -> None:
    """Delete all views: SQLite cannot alter a table that a view uses."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def foreign_views(connection: Connection) -> str | None:
    """Return None if the views of a SQLite database are those of this program; else the SHA-256 of theirs."""
    names = ", ".join(f"'{name}'" for name in VIEWS)
    query = f"SELECT name, type, sql FROM sqlite_master WHERE name IN ({names}) ORDER BY name"
    found = repr([tuple(row) for row in connection.exec_driver_sql(query)])
    digest = hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()
    return None if digest == VIEWS_SHA256 else digest


def columns_of(connection: Connection, name: str) -> list[str]:
    """Return the column names of a view, in order."""
    return list(connection.execute(text(f"SELECT * FROM {name} LIMIT 0")).keys())
