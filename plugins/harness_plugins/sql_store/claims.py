"""Claims: which process works on which experiment.

A claim consists of an owner, a lease in seconds and the time when the lease ends. The claim has lapsed in three cases:
that time is past; the owner's process is known to be dead; or that time is so far in the future that the clock must
have been set back.
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
from harness.keep.texts import MESSAGE, storable_values, without_passwords
from harness.records import State
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import require_unaltered, seal_experiments
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
"""The largest difference between the clocks of two machines, in seconds."""

_TOTALS = (
    *("samples", "failed_samples", "bits", "pixels", "bpp", "bpp_mean", "kbps", "psnr", "source_bpp"),
    *("encode_ms", "decode_ms", "seconds", "groups"),
    *("interval_method", "resamples", "interval_seed"),
)


def register(connection: sa.Connection, cells: Sequence[Experiment], run: int) -> None:
    """Insert the experiments that the database does not have yet.

    For known experiments, a missing baseline or missing classes are filled in.
    """
    if not cells:
        return
    connection.execute(_insert_new(connection), [_row(experiment, run) for experiment in cells])
    baselines = [
        {"its_key": experiment.key, "its_baseline": experiment.baseline} for experiment in cells if experiment.baseline
    ]
    if baselines:
        connection.execute(
            sa.update(experiments)
            .where(experiments.c.key == sa.bindparam("its_key"), experiments.c.baseline.is_(None))
            .values(baseline=sa.bindparam("its_baseline")),
            baselines,
        )
    connection.execute(
        sa.update(experiments)
        .where(experiments.c.key == sa.bindparam("its_key"), experiments.c.classes.is_(None))
        .values(classes=sa.bindparam("its_classes")),
        [{"its_key": experiment.key, "its_classes": json.dumps(experiment.classes)} for experiment in cells],
    )


def registered(connection: sa.Connection) -> list[Experiment]:
    """Return all experiments as they were registered, in that order. The field `changed` is not stored.

    Superseded records are left out.
    """
    query = sa.select(experiments).where(experiments.c.original.is_(None)).order_by(experiments.c.id)
    return [_experiment(dict(row._mapping)) for row in connection.execute(query)]


def states(connection: sa.Connection, keys: Sequence[str]) -> dict[str, State]:
    """Return the state of each key that was ever claimed."""
    e = experiments.c
    states_by_key: dict[str, State] = {}
    for batch in chunks(keys):
        rows = connection.execute(
            sa.select(
                e.key, e.id, e.status, e.owner, e.lease, e.lease_until, e.reason, e.samples, e.failed_samples
            ).where(e.key.in_(batch), e.status.is_not(None))
        ).all()
        counts = _counts(connection, [row.id for row in rows if row.samples is None])
        for row in rows:
            count = counts.get(row.id, 0) if row.samples is None else row.samples + (row.failed_samples or 0)
            status = status_now(row.status, row.owner, row.lease, row.lease_until)
            states_by_key[row.key] = State(status, row.owner, count, row.failed_samples or 0, row.reason)
    return states_by_key


def identities(connection: sa.Connection, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the identity of each registered key: everything that determines the experiment's result."""
    e = experiments.c
    identities_by_key: dict[str, Mapping[str, Any]] = {}
    for batch in chunks(keys):
        for key, identity in connection.execute(sa.select(e.key, e.identity).where(e.key.in_(batch))):
            identities_by_key[key] = json.loads(identity)
    return identities_by_key


def classes(connection: sa.Connection, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the class names of each key, where the database has them."""
    e = experiments.c
    classes_by_key: dict[str, tuple[str, ...]] = {}
    for batch in chunks(keys):
        query = sa.select(e.key, e.classes).where(e.key.in_(batch), e.classes.is_not(None))
        for key, names in connection.execute(query):
            classes_by_key[key] = tuple(json.loads(names))
    return classes_by_key


def status_now(status: Status, owner: str | None, lease: float | None, until: float | None) -> Status:
    """Return the current status: `interrupted` for a running experiment whose claim has lapsed, else the stored
    status."""
    if status == "running" and not _is_valid(owner, lease, until):
        return "interrupted"
    return status


def claim(connection: sa.Connection, keys: Sequence[str], wanted: Claim) -> set[str]:
    """Claim the experiments that are neither finished nor held by another owner. Return the keys that were claimed.

    A failed experiment loses its failed samples and its results, so that those samples are tried again.

    Raises:
        StoreError: a key was never registered, or what the database has of it was altered.
    """
    e = experiments.c
    obtained: dict[str, int] = {}
    known_keys: set[str] = set()
    failed: dict[str, int] = {}
    for batch in chunks(sorted(keys)):
        query = sa.select(e.key, e.id, e.status, e.owner, e.lease, e.lease_until).where(e.key.in_(batch)).order_by(e.id)
        for row in connection.execute(query.with_for_update()):
            known_keys.add(row.key)
            mine = row.owner == wanted.owner
            if row.status == "finished" or (
                row.status == "running" and not mine and _is_valid(row.owner, row.lease, row.lease_until)
            ):
                continue
            obtained[row.key] = row.id
            if row.status == "failed":
                failed[row.key] = row.id
    if unknown := set(keys) - known_keys:
        raise StoreError(
            f"{len(unknown)} experiments were claimed before they were registered: {min(unknown)[:12]}, ..."
        )
    require_unaltered(connection, obtained.values())
    _delete_results(connection, failed)
    for ids in chunks(list(obtained.values())):
        connection.execute(
            sa.update(experiments)
            .where(e.id.in_(ids))
            .values(status="running", reason=None, finished_at=None, digest=None, run=wanted.run, **_lease(wanted))
        )
    return set(obtained)


def renew(connection: sa.Connection, claim: Claim) -> set[str]:
    """Extend all leases of the claim's owner. Return the keys that the owner still holds."""
    e = experiments.c
    mine = (e.owner == claim.owner, e.status == "running")
    connection.execute(sa.update(experiments).where(*mine).values(**_lease(claim)))
    return set(connection.scalars(sa.select(e.key).where(*mine)))


def release(connection: sa.Connection, keys: Sequence[str], claim: Claim, status: Status, reason: str | None) -> None:
    """Give up claims and set a status. A key that another owner has claimed meanwhile stays unchanged."""
    e = experiments.c
    for batch in chunks(keys):
        mine = (e.key.in_(batch), e.owner == claim.owner, e.status == "running")
        ids = connection.scalars(sa.select(e.id).where(*mine)).all()
        told = None if reason is None else without_passwords(reason)
        values = storable_values({"status": status, "reason": told, "lease_until": None}, most=2 * MESSAGE)
        connection.execute(sa.update(experiments).where(*mine).values(values))
        seal_experiments(connection, ids)


def held_ids(connection: sa.Connection, keys: Iterable[str], claim: Claim) -> dict[str, int]:
    """Return the database ids of experiments that the claim's owner holds, by key.

    Raises:
        StoreError: the owner does not hold one of the experiments, or lost it.
    """
    e = experiments.c
    wanted = sorted(set(keys))
    ids: dict[str, int] = {}
    for batch in chunks(wanted):
        query = sa.select(e.key, e.id, e.status, e.owner).where(e.key.in_(batch)).order_by(e.id)
        rows = {row.key: row for row in connection.execute(query.with_for_update())}
        for key in batch:
            row = rows.get(key)
            if row is None or row.owner != claim.owner or row.status != "running":
                holder = (
                    f"it is {row.status} under {describe(row.owner)}"
                    if row is not None and row.owner
                    else "nobody has it"
                )
                raise StoreError(
                    f"the claim on experiment {key[:12]} was lost ({holder}), so nothing was written. Run again to "
                    "continue what is not finished."
                )
            ids[key] = row.id
    return ids


def _is_valid(owner: str | None, lease: float | None, until: float | None) -> bool:
    """Return whether a claim on a running experiment is still valid."""
    if owner is None or until is None or is_gone(owner):
        return False
    return time.time() <= until <= time.time() + (lease or 0.0) + _SKEW


def _lease(claim: Claim) -> dict[str, Any]:
    """Return the columns of a claim: owner, lease in seconds, and the time when the lease ends."""
    return {"owner": claim.owner, "lease": claim.lease, "lease_until": time.time() + claim.lease}


def _delete_results(connection: sa.Connection, failed: dict[str, int]) -> None:
    """Delete the results of failed experiments, and their failed samples. Samples that succeeded stay."""
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
    """Return the number of sample rows of each experiment, by its database id."""
    s = samples.c
    query = sa.select(s.experiment_id, sa.func.count()).where(s.experiment_id.in_(ids)).group_by(s.experiment_id)
    return {row[0]: row[1] for row in connection.execute(query)} if ids else {}


def _insert_new(connection: sa.Connection) -> sa.Insert:
    """Return an INSERT statement that skips experiments that exist.

    Each dialect has its own statement. Its module is imported here because the import is slow.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(experiments).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(experiments).on_conflict_do_nothing()


def _experiment(row: Mapping[str, Any]) -> Experiment:
    """Return the experiment of a row of the table `experiments`."""
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
        compiled=bool(row["compiled"]),
    )


def _row(experiment: Experiment, run: int) -> dict[str, Any]:
    """Return the columns of the table `experiments` for an experiment."""
    options = dict(experiment.codec_options) | ({"intra": True} if experiment.intra else {})
    same = ("key", "codec", "level", "level_name", "intra", "task", "model", "weights", "dataset", "split", "reference")
    row = {
        **{name: getattr(experiment, name) for name in (*same, "seed", "baseline")},
        "codec_options": canonical(options),
        "planned_samples": experiment.samples,
        **{name: getattr(experiment, name) for name in ("precision", "batch", "compiled")},
        "training": experiment.training.kind,
        "train_codec": experiment.training.codec,
        "train_level": experiment.training.level,
        "train_mode": experiment.training.mode,
        "parts": experiment.training.parts,
        "checkpoint": experiment.training.checkpoint,
        "control": experiment.training.control,
        "series": experiment.training.series,
        "cell": experiment.cell,
        "ladder": experiment.ladder,
        "identity": canonical(experiment.identity),
        "classes": json.dumps(experiment.classes),
        "run": run,
    }
    return storable_values(row, whole=("codec_options", "identity", "classes"))
