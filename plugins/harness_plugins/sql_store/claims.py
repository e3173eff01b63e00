"""Who works on which experiment.

A claim is an owner, a lease and the moment until which it holds. It has lapsed when that moment is past, when the
owner's process is known to be gone, or when the moment lies so far ahead that the clock must have been set back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.experiment import canonical
from harness.keep.processes import describe, is_gone
from harness.records import State
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.schema import comparisons, experiments, metrics, samples

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.records import Claim, Status

__all__ = [
    "claim",
    "classes",
    "held_ids",
    "identities",
    "register",
    "registered",
    "release",
    "renew",
    "states",
    "status_now",
]

_SKEW = 300.0
"""Seconds by which the clocks of two machines may differ."""

_TOTALS = (
    *("samples", "failed_samples", "bits", "pixels", "bpp", "bpp_mean", "kbps", "psnr", "source_bpp"),
    *("encode_ms", "decode_ms", "seconds", "groups"),
    *("interval_method", "resamples", "interval_seed"),
)


def register(connection: sa.Connection, cells: Sequence[Experiment], run: int) -> None:
    """Record what is not there yet; a baseline or classes that were not known before are filled in."""
    if not cells:
        return
    connection.execute(_insert_new(connection), [_row(cell, run) for cell in cells])
    late = [{"its_key": cell.key, "its_baseline": cell.baseline} for cell in cells if cell.baseline]
    if late:
        connection.execute(
            sa.update(experiments)
            .where(experiments.c.key == sa.bindparam("its_key"), experiments.c.baseline.is_(None))
            .values(baseline=sa.bindparam("its_baseline")),
            late,
        )
    connection.execute(
        sa.update(experiments)
        .where(experiments.c.key == sa.bindparam("its_key"), experiments.c.classes.is_(None))
        .values(classes=sa.bindparam("its_classes")),
        [{"its_key": cell.key, "its_classes": json.dumps(cell.classes)} for cell in cells],
    )


def registered(connection: sa.Connection) -> list[Experiment]:
    """All experiments as they were registered; what `changed` was is not recorded."""
    return [
        _experiment(dict(row._mapping)) for row in connection.execute(sa.select(experiments).order_by(experiments.c.id))
    ]


def states(connection: sa.Connection, keys: Sequence[str]) -> dict[str, State]:
    """What is known of each key that was ever claimed."""
    e = experiments.c
    found: dict[str, State] = {}
    for some in chunks(keys):
        rows = connection.execute(
            sa.select(
                e.key, e.id, e.status, e.owner, e.lease, e.lease_until, e.reason, e.samples, e.failed_samples
            ).where(e.key.in_(some), e.status.is_not(None))
        ).all()
        counts = _counts(connection, [row.id for row in rows if row.samples is None])
        for row in rows:
            count = counts.get(row.id, 0) if row.samples is None else row.samples + (row.failed_samples or 0)
            status = status_now(row.status, row.owner, row.lease, row.lease_until)
            found[row.key] = State(status, row.owner, count, row.failed_samples or 0, row.reason)
    return found


def identities(connection: sa.Connection, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The identity of each key that was ever registered."""
    e = experiments.c
    found: dict[str, Mapping[str, Any]] = {}
    for some in chunks(keys):
        for key, identity in connection.execute(sa.select(e.key, e.identity).where(e.key.in_(some))):
            found[key] = json.loads(identity)
    return found


def classes(connection: sa.Connection, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes of each key whose classes are known."""
    e = experiments.c
    found: dict[str, tuple[str, ...]] = {}
    for some in chunks(keys):
        query = sa.select(e.key, e.classes).where(e.key.in_(some), e.classes.is_not(None))
        for key, names in connection.execute(query):
            found[key] = tuple(json.loads(names))
    return found


def status_now(status: Status, owner: str | None, lease: float | None, until: float | None) -> Status:
    """`interrupted` for a running experiment whose claim has lapsed."""
    if status == "running" and not _holds(owner, lease, until):
        return "interrupted"
    return status


def claim(connection: sa.Connection, keys: Sequence[str], wanted: Claim) -> set[str]:
    """Claim what is neither finished nor held; gives the keys obtained."""
    e = experiments.c
    obtained: dict[str, int] = {}
    seen: set[str] = set()
    failed: dict[str, int] = {}
    for some in chunks(sorted(keys)):
        query = sa.select(e.key, e.id, e.status, e.owner, e.lease, e.lease_until).where(e.key.in_(some)).order_by(e.id)
        for row in connection.execute(query.with_for_update()):
            seen.add(row.key)
            mine = row.owner == wanted.owner
            if row.status == "finished" or (
                row.status == "running" and not mine and _holds(row.owner, row.lease, row.lease_until)
            ):
                continue
            obtained[row.key] = row.id
            if row.status == "failed":
                failed[row.key] = row.id
    if unknown := set(keys) - seen:
        raise StoreError(
            f"{len(unknown)} experiments were claimed before they were registered: {min(unknown)[:12]}, ..."
        )
    _forget(connection, failed)
    for ids in chunks(list(obtained.values())):
        connection.execute(
            sa.update(experiments)
            .where(e.id.in_(ids))
            .values(status="running", reason=None, finished_at=None, run=wanted.run, **_lease(wanted))
        )
    return set(obtained)


def renew(connection: sa.Connection, claim: Claim) -> set[str]:
    """Prolong an owner's leases; gives the keys it still holds."""
    e = experiments.c
    mine = (e.owner == claim.owner, e.status == "running")
    connection.execute(sa.update(experiments).where(*mine).values(**_lease(claim)))
    return set(connection.scalars(sa.select(e.key).where(*mine)))


def release(connection: sa.Connection, keys: Sequence[str], claim: Claim, status: Status, reason: str | None) -> None:
    """Give claims up; those lost meanwhile are left to whoever has them."""
    e = experiments.c
    for some in chunks(keys):
        connection.execute(
            sa.update(experiments)
            .where(e.key.in_(some), e.owner == claim.owner, e.status == "running")
            .values(status=status, reason=reason, lease_until=None)
        )


def held_ids(connection: sa.Connection, keys: Iterable[str], claim: Claim) -> dict[str, int]:
    """The ids of experiments that the owner holds.

    Raises:
        StoreError: one of them is not, or no longer, the owner's.
    """
    e = experiments.c
    wanted = sorted(set(keys))
    ids: dict[str, int] = {}
    for some in chunks(wanted):
        query = sa.select(e.key, e.id, e.status, e.owner).where(e.key.in_(some)).order_by(e.id)
        found = {row.key: row for row in connection.execute(query.with_for_update())}
        for key in some:
            row = found.get(key)
            if row is None or row.owner != claim.owner or row.status != "running":
                who = (
                    f"it is {row.status} under {describe(row.owner)}"
                    if row is not None and row.owner
                    else "nobody has it"
                )
                raise StoreError(
                    f"the claim on experiment {key[:12]} was lost ({who}), so nothing was written. Run again to "
                    "continue what is not finished."
                )
            ids[key] = row.id
    return ids


def _holds(owner: str | None, lease: float | None, until: float | None) -> bool:
    """Whether a running experiment's claim still holds."""
    if owner is None or until is None or is_gone(owner):
        return False
    return time.time() <= until <= time.time() + (lease or 0.0) + _SKEW


def _lease(claim: Claim) -> dict[str, Any]:
    return {"owner": claim.owner, "lease": claim.lease, "lease_until": time.time() + claim.lease}


def _forget(connection: sa.Connection, failed: dict[str, int]) -> None:
    """Take away what failed experiments left, but for the samples that went well."""
    s = samples.c
    for ids in chunks(list(failed.values())):
        connection.execute(sa.delete(samples).where(s.experiment_id.in_(ids), s.status == "failed"))
        connection.execute(sa.update(experiments).where(experiments.c.id.in_(ids)).values(dict.fromkeys(_TOTALS, None)))
    for keys in chunks(list(failed)):
        connection.execute(sa.delete(metrics).where(metrics.c.experiment.in_(keys)))
        connection.execute(
            sa.delete(comparisons).where(sa.or_(comparisons.c.experiment.in_(keys), comparisons.c.other.in_(keys)))
        )


def _counts(connection: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    s = samples.c
    query = sa.select(s.experiment_id, sa.func.count()).where(s.experiment_id.in_(ids)).group_by(s.experiment_id)
    return {row[0]: row[1] for row in connection.execute(query)} if ids else {}


def _insert_new(connection: sa.Connection) -> sa.Insert:
    """What inserts experiments that are not there; each dialect has its own, and its module takes time to import."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(experiments).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(experiments).on_conflict_do_nothing()


def _experiment(row: Mapping[str, Any]) -> Experiment:
    from harness.experiment import Experiment, Training

    options = json.loads(row["codec_options"])
    options.pop("intra", None)
    training = Training(
        row["training"],
        codec=row["train_codec"],
        level=row["train_level"],
        mode=row["train_mode"],
        parts=row["parts"],
        seed=row["seed"] if row["training"] == "retrained" else None,
        checkpoint=row["checkpoint"],
        control=row["control"],
        series=row["series"],
    )
    same = ("key", "codec", "level", "level_name", "task", "model", "weights", "dataset", "split", "precision", "batch")
    return Experiment(
        **{name: row[name] for name in (*same, "reference", "seed", "baseline")},
        identity=json.loads(row["identity"]),
        codec_options=options,
        intra=bool(row["intra"]),
        samples=row["planned_samples"],
        training=training,
        classes=tuple(json.loads(row["classes"] or "[]")),
    )


def _row(cell: Experiment, run: int) -> dict[str, Any]:
    options = dict(cell.codec_options) | ({"intra": True} if cell.intra else {})
    return {
        **{name: getattr(cell, name) for name in ("key", "codec", "level", "level_name", "intra", "task", "model")},
        **{name: getattr(cell, name) for name in ("weights", "dataset", "split", "reference", "seed", "baseline")},
        "codec_options": canonical(options),
        "planned_samples": cell.samples,
        "precision": cell.precision,
        "batch": cell.batch,
        "training": cell.training.kind,
        "train_codec": cell.training.codec,
        "train_level": cell.training.level,
        "train_mode": cell.training.mode,
        "parts": cell.training.parts,
        "checkpoint": cell.training.checkpoint,
        "control": cell.training.control,
        "series": cell.training.series,
        "cell": cell.cell,
        "ladder": cell.ladder,
        "identity": canonical(cell.identity),
        "classes": json.dumps(cell.classes),
        "run": run,
    }
