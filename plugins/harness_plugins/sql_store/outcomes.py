"""The results of an experiment: totals, metrics and comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.keep.texts import MESSAGE, storable, storable_message
from harness.records import Comparison
from harness_plugins.sql_store.claims import held_ids
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import is_intact, seal_experiments, with_digest
from harness_plugins.sql_store.runs import now_text
from harness_plugins.sql_store.schema import comparisons, experiments, metrics

if TYPE_CHECKING:
    from harness.records import Claim, MetricValue, Totals

__all__ = ["compare", "finish", "outdated", "read_comparisons", "replace_metrics", "uncompared"]


def finish(
    connection: sa.Connection,
    key: str,
    claim: Claim,
    totals: Totals,
    values: Sequence[MetricValue],
    failed: str | None,
) -> None:
    """Write an experiment's totals and metrics, and give up the claim on it."""
    number = held_ids(connection, [key], claim)[key]
    real = ("bpp", "bpp_mean", "kbps", "psnr", "source_bpp", "encode_ms", "decode_ms", "seconds")
    connection.execute(
        sa.update(experiments)
        .where(experiments.c.id == number)
        .values(
            status="failed" if failed is not None else "finished",
            reason=None if failed is None else storable_message(failed, 2 * MESSAGE),
            run=claim.run,
            finished_at=now_text(),
            lease_until=None,
            samples=int(totals.samples),
            failed_samples=int(totals.failed),
            bits=None if totals.bits is None else int(totals.bits),
            pixels=None if totals.pixels is None else int(totals.pixels),
            groups=totals.groups,
            frames=None if totals.frames is None else int(totals.frames),
            interval_method=totals.interval_method,
            resamples=totals.resamples,
            interval_seed=totals.interval_seed,
            **{name: _finite(getattr(totals, name)) for name in real},
        )
    )
    _write_metrics(connection, key, values)
    seal_experiments(connection, [number])


def outdated(connection: sa.Connection, keys: Sequence[str], method: str) -> set[str]:
    """Return the keys of finished experiments whose intervals were computed by another method."""
    c = experiments.c
    found: set[str] = set()
    for batch in chunks(keys):
        by_another = c.interval_method.is_(None) | (c.interval_method != method)
        found.update(connection.scalars(sa.select(c.key).where(c.key.in_(batch), c.status == "finished", by_another)))
    return found


def replace_metrics(
    connection: sa.Connection, key: str, values: Sequence[MetricValue], method: str, resamples: int, seed: int
) -> None:
    """Replace the metrics of a finished experiment, and delete all its comparisons.

    It gets a new digest only if it had the right one, so that what was altered is still found.
    """
    number = connection.execute(sa.select(experiments.c.id).where(experiments.c.key == key)).scalar_one()
    intact = is_intact(connection, number)
    how = {"interval_method": method, "resamples": resamples, "interval_seed": seed}
    connection.execute(sa.update(experiments).where(experiments.c.key == key).values(**how))
    _write_metrics(connection, key, values)
    connection.execute(sa.delete(comparisons).where((comparisons.c.experiment == key) | (comparisons.c.other == key)))
    if intact:
        seal_experiments(connection, [number])


def _write_metrics(connection: sa.Connection, key: str, values: Sequence[MetricValue]) -> None:
    connection.execute(sa.delete(metrics).where(metrics.c.experiment == key))
    if values:
        connection.execute(sa.insert(metrics), [_metric(key, place, value) for place, value in enumerate(values)])


def uncompared(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    """Return the keys of finished experiments whose baseline is finished too, but whose drop is not stored yet."""
    experiment, baseline = experiments.alias("one"), experiments.alias("other")
    c = comparisons.c
    drop = sa.exists().where(c.experiment == experiment.c.key, c.other == baseline.c.key, c.kind == "drop")
    without_drop: set[str] = set()
    for batch in chunks(keys):
        query = (
            sa.select(experiment.c.key)
            .join(baseline, baseline.c.key == experiment.c.baseline)
            .where(
                experiment.c.key.in_(batch), experiment.c.status == "finished", baseline.c.status == "finished", ~drop
            )
        )
        without_drop.update(connection.scalars(query))
    return without_drop


def compare(connection: sa.Connection, found: Sequence[Comparison]) -> None:
    """Store comparisons. A stored comparison of the same two experiments, metric and kind is replaced."""
    if not found:
        return
    c = comparisons.c
    rows = [
        {
            "experiment": comparison.key,
            "other": comparison.other,
            "metric": storable(comparison.metric),
            "kind": comparison.kind,
            "value": _finite(comparison.value),
            "ci_low": _finite(comparison.ci_low),
            "ci_high": _finite(comparison.ci_high),
            "n": int(comparison.n),
            "reason": _reason(comparison.reason, comparison.value),
        }
        for comparison in found
    ]
    names = ("experiment", "other", "metric", "kind")
    same = sa.and_(*(c[name] == sa.bindparam(f"its_{name}") for name in names))
    connection.execute(sa.delete(comparisons).where(same), [{f"its_{n}": row[n] for n in names} for row in rows])
    connection.execute(sa.insert(comparisons), [with_digest(comparisons, row) for row in rows])


def read_comparisons(connection: sa.Connection, key: str) -> list[Comparison]:
    """Return all comparisons of an experiment with other experiments."""
    query = sa.select(comparisons).where(comparisons.c.experiment == key)
    result = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        del values["digest"]
        result.append(Comparison(key=values.pop("experiment"), **values))
    return result


def _metric(key: str, place: int, value: MetricValue) -> dict[str, Any]:
    """Return the columns of the table `metrics` for a metric; `place` is its position among the experiment's
    metrics."""
    return {
        "experiment": key,
        "metric": storable(value.metric),
        "position": place,
        "value": _finite(value.value),
        "ci_low": _finite(value.ci_low),
        "ci_high": _finite(value.ci_high),
        "n": int(value.n),
        "is_primary": bool(value.is_primary),
        "higher_is_better": bool(value.higher_is_better),
        "unit": value.unit,
        "reason": _reason(value.reason, value.value),
    }


def _finite(value: float | None) -> float | None:
    """Return the number as a Python float; None for NaN and infinity, which the database does not store.

    Zero has no sign: SQLite does not keep it, PostgreSQL would.
    """
    return None if value is None or not math.isfinite(value) else float(value) + 0.0


def _reason(reason: str | None, value: float | None) -> str | None:
    """Return the reason, or "undefined" for a missing value without a reason: NULL always has a reason."""
    return storable_message(reason) if reason else ("undefined" if _finite(value) is None else None)
