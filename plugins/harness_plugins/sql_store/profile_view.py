"""The SQL of the view `profile`: the seconds of each experiment's stages, and what held it up."""

from __future__ import annotations

from harness.store import STAGES

__all__ = ["profile_view"]


def profile_view(facts: str, condition: str) -> str:
    """Return the SQL that creates the view.

    Args:
        facts: the columns that describe an experiment `e`, as SQL.
        condition: which experiments the view has, as SQL.
    """
    seconds = ", ".join(f"t.{name}_seconds AS {name}_seconds" for name in STAGES)
    return f"""CREATE VIEW profile AS
SELECT {facts}, r.device AS device, t.runs AS runs, {_SAMPLES} AS samples, t.workers AS workers, {seconds},
    {_SAMPLES} / NULLIF(t.wall_seconds, 0) AS image_levels_per_second,
    t.predict / NULLIF(t.wall_seconds, 0) AS busy_share, {_BOTTLENECK} AS bottleneck
FROM experiments e
JOIN runs r ON r.id = e.run
JOIN (
    SELECT s.experiment AS experiment, COUNT(DISTINCT s.run) AS runs,
        MAX(CASE WHEN s.stage = 'workers' THEN CAST(s.seconds AS INTEGER) END) AS workers,
        {", ".join(map(_measured, STAGES))},
        {_known("predict")} AS predict, {_known("wait")} AS wait, {_known("hand_over")} AS hand_over,
        {_known("read")} AS reading, {_known("encode", "decode")} AS coding, {_known("prepare")} AS preparing,
        {_known("score")} AS scoring, {_known("write", "finish")} AS storing
    FROM stages s
    GROUP BY s.experiment
) t ON t.experiment = e.key
WHERE {condition}"""


def _measured(name: str) -> str:
    """Return SQL for the seconds of a stage of one experiment, over all its runs; NULL if it was not measured."""
    return f"SUM(CASE WHEN s.stage = '{name}' THEN s.seconds END) AS {name}_seconds"


def _known(*names: str) -> str:
    """Return SQL for the seconds of some stages together; 0 if none was measured."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"COALESCE(SUM(CASE WHEN s.stage IN ({listed}) THEN s.seconds END), 0)"


# While an experiment is not finished, its rows are counted.
_SAMPLES = """COALESCE(e.samples + e.failed_samples, (SELECT COUNT(*) FROM samples p WHERE p.experiment_id = e.id))"""

# As `harness.results.profile` computes it. A test holds both together.
_REST = "(t.wall_seconds - t.predict - t.wait)"
_WORKERS = "(t.coding + t.preparing + t.reading + t.scoring)"
_HANDING = "(t.hand_over * CASE WHEN t.workers > 1 THEN t.workers ELSE 1 END)"
_BOTTLENECK = f"""CASE
    WHEN t.wall_seconds IS NULL OR t.wall_seconds <= 0 THEN NULL
    WHEN t.predict / t.wall_seconds >= 0.9 THEN 'device'
    WHEN t.wait >= {_REST} THEN CASE
        WHEN {_HANDING} > {_WORKERS} THEN 'hand-over'
        WHEN t.coding >= t.preparing AND t.coding >= t.reading AND t.coding >= t.scoring THEN 'codec'
        WHEN t.preparing >= t.reading AND t.preparing >= t.scoring THEN 'prepare'
        WHEN t.reading >= t.scoring THEN 'read' ELSE 'score' END
    WHEN t.storing > 0 THEN 'store' ELSE 'other' END"""
