"""Copy the experiments of one results database into another, each experiment once; each is a file or on a server."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from harness.experiment import subject_key
from harness.records import Merged
from harness_plugins.sql_store.again import forget_stale
from harness_plugins.sql_store.database import chunks
from harness_plugins.sql_store.digests import is_intact, seal_experiments, with_digest
from harness_plugins.sql_store.record_keys import record_key
from harness_plugins.sql_store.schema import (
    checkpoints,
    comparisons,
    experiments,
    metrics,
    places,
    resamples,
    runs,
    samples,
    stages,
    statistics,
)

__all__ = ["absorb", "link_baselines"]

_AT_ONCE = 1000
"""Rows that are copied in one statement."""


def absorb(here: sa.Connection, other: sa.Connection) -> Merged:
    """Copy the experiments of the database `other` into the database `here`, and count them.

    It runs in the transaction of `here`. Both databases must have the newest schema.
    """
    if here.dialect.name == "postgresql":  # others may read, and write again when this transaction has ended
        here.exec_driver_sql("LOCK TABLE experiments IN SHARE ROW EXCLUSIVE MODE")
    run_of = _copy_runs(here, other)
    mine, theirs = _experiments_in(here), _experiments_in(other)
    superseded = {key for key, row in mine.items() if row["superseded_at"] is not None}
    taken: list[str] = []
    duplicates = 0
    differing: list[tuple[str, str, float | None, float | None]] = []
    for key, theirs_row in theirs.items():
        if theirs_row["original"] is not None and theirs_row["superseded_at"] is None:
            continue  # it is about to supersede a record, in that file
        mine_row = mine.get(key)
        if mine_row is not None and mine_row["status"] == "finished":
            if _record(mine_row) in theirs:
                forget_stale(here, key)
                _copy_experiment(here, other, key, theirs_row["id"], mine_row["id"], run_of)
                taken.append(key)
            elif theirs_row["status"] == "finished" and not {key, _record(theirs_row)} & superseded:
                duplicates += 1
                differing += _differing_metrics(here, other, key)
            continue
        if mine_row is not None and _may_join(mine_row) and _may_join(theirs_row):
            _join(here, other, key, theirs_row["id"], mine_row["id"], run_of)
            continue
        if mine_row is not None and (
            theirs_row["status"] is None or _completeness(theirs_row) <= _completeness(mine_row)
        ):
            continue
        _copy_experiment(here, other, key, theirs_row["id"], mine_row["id"] if mine_row else None, run_of)
        taken.append(key)
    if differing:  # copied drops and recoveries may have been computed from results that are not the kept ones
        here.execute(sa.delete(comparisons).where(comparisons.c.experiment.in_(taken)))
    _fill_missing(here, other)
    _copy_checkpoints(here, other, run_of)
    current = [key for key in taken if theirs[key]["original"] is None]
    return Merged(len(current), duplicates, tuple(differing))


def link_baselines(connection: sa.Connection) -> int:
    """Set the missing baselines of experiments whose baseline came from another file. Return how many were set."""
    e = experiments.c
    described = sa.select(e.key, e.codec, e.codec_options, e.training, e.baseline, e.identity)
    rows = connection.execute(described.where(e.original.is_(None))).all()
    baselines: dict[str, str] = {}
    without_baseline: list[tuple[str, str]] = []
    for row in rows:
        subject = subject_key(json.loads(row.identity))
        if row.codec == "none" and row.codec_options == "{}" and row.training == "pretrained":
            baselines[subject] = row.key
        elif row.baseline is None:
            without_baseline.append((row.key, subject))
    links = [
        {"its_key": key, "its_base": baselines[subject]} for key, subject in without_baseline if subject in baselines
    ]
    if links:
        query = sa.update(experiments).where(e.key == sa.bindparam("its_key")).values(baseline=sa.bindparam("its_base"))
        connection.execute(query, links)
    return len(links)


def _may_join(row: Mapping[str, Any]) -> bool:
    """Return whether samples of an experiment are missing, but none has made it fail."""
    return row["status"] in ("running", "interrupted", "partial") and row["held"] > 0


def _join(
    here: sa.Connection, other: sa.Connection, key: str, theirs: int, mine: int, run_of: Mapping[int, int]
) -> None:
    """Add the samples that only the other database has of an experiment, which runs spent how long on it, and where.

    Where both have a sample, one that did not fail counts; otherwise this database's.
    """
    sealed = sa.select(experiments.c.digest).where(experiments.c.id == sa.bindparam("its_id"))
    digests = here.scalar(sealed, {"its_id": mine}), other.scalar(sealed, {"its_id": theirs})
    whole = (digests[0] is None or is_intact(here, mine)) and (digests[1] is None or is_intact(other, theirs))
    s = samples.c
    state = sa.select(s.sample_index, s.status)
    known = {row.sample_index: row.status for row in here.execute(state.where(s.experiment_id == mine))}
    found = {row.sample_index: row.status for row in other.execute(state.where(s.experiment_id == theirs))}
    better = {index for index, status in found.items() if status == "ok" and known.get(index) == "failed"}
    for part in chunks(sorted(better)):
        here.execute(sa.delete(samples).where(s.experiment_id == mine, s.sample_index.in_(part)))
    new = (found.keys() - known.keys()) | better
    _copy_samples(here, other, theirs, mine, new)
    _copy_by_run(here, other, key, run_of)
    values = {"status": "partial", "reason": None, "owner": None, "lease": None, "lease_until": None}
    here.execute(sa.update(experiments).where(experiments.c.id == mine).values(values))
    if whole and None in digests:
        here.execute(sa.update(experiments).where(experiments.c.id == mine).values(digest=None))
    elif whole:  # otherwise the digest goes on to say that something was altered
        seal_experiments(here, [mine])


def _experiments_in(connection: sa.Connection) -> dict[str, Mapping[str, Any]]:
    """Return the id, status and number of samples of each experiment in a database, by key.

    With them comes what a record's own key is made of, and whether it is superseded.
    """
    e, r = experiments.c, runs.c
    held = sa.select(sa.func.count()).where(samples.c.experiment_id == e.id).scalar_subquery().label("held")
    query = sa.select(
        *(e.key, e.id, e.status, e.original, e.superseded_at, e.finished_at, r.host, r.process, held)
    ).join_from(experiments, runs, r.id == e.run)
    return {row["key"]: dict(row) for row in connection.execute(query.order_by(e.id)).mappings()}


def _record(row: Mapping[str, Any]) -> str:
    """Return the key that a record has once it is superseded."""
    return record_key(row["key"], row["finished_at"], row["host"], row["process"])


def _completeness(row: Mapping[str, Any]) -> tuple[bool, int]:
    """Return a sort key: the experiment with the larger value is kept."""
    return row["status"] == "finished", row["held"]


def _rows(connection: sa.Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    query = sa.select(table).where(*conditions).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def _copy_runs(here: sa.Connection, other: sa.Connection) -> dict[int, int]:
    """Copy the runs of the other database that are new here. Return the id here of each run, by its id there."""
    identifying = [runs.c[name] for name in ("command", "started_at", "host", "process")]
    known = {tuple(row[1:]): row[0] for row in here.execute(sa.select(runs.c.id, *identifying))}
    id_here = {}
    for row in _rows(other, runs):
        identity = tuple(row[column.name] for column in identifying)
        if identity not in known:
            values = {name: value for name, value in row.items() if name != "id"}
            if values["status"] == "running":
                sound = with_digest(runs, row)["digest"] == row["digest"]
                values["status"] = "interrupted"
                values = with_digest(runs, values) if sound else values
            inserted = here.execute(sa.insert(runs).values(values)).inserted_primary_key
            assert inserted is not None
            known[identity] = int(inserted[0])
        id_here[row["id"]] = known[identity]
    return id_here


def _copy_experiment(
    here: sa.Connection, other: sa.Connection, key: str, theirs: int, mine: int | None, run_of: Mapping[int, int]
) -> None:
    """Copy an experiment with all that belongs to it, and delete what this database had of it."""
    if mine is not None:
        for table in (statistics, samples):
            here.execute(sa.delete(table).where(table.c.experiment_id == mine))
        for table in (metrics, comparisons, stages, places, resamples):
            here.execute(sa.delete(table).where(table.c.experiment == key))
        here.execute(sa.delete(comparisons).where(comparisons.c.other == key))
        here.execute(sa.delete(experiments).where(experiments.c.id == mine))
    (row,) = _rows(other, experiments, experiments.c.id == theirs)
    running = row["status"] == "running"
    row |= {"run": run_of[row["run"]], "owner": None, "lease": None, "lease_until": None}
    row |= {"status": "interrupted"} if running else {}
    row.pop("id")
    inserted = here.execute(sa.insert(experiments).values(row)).inserted_primary_key
    assert inserted is not None
    _copy_samples(here, other, theirs, int(inserted[0]))
    for table in (metrics, comparisons, resamples):
        if found := _rows(other, table, table.c.experiment == key):
            here.execute(sa.insert(table), found)
    _copy_by_run(here, other, key, run_of)


def _copy_by_run(here: sa.Connection, other: sa.Connection, key: str, run_of: Mapping[int, int]) -> None:
    """Copy what runs have noted of an experiment: the seconds of its stages, and where its rows were computed.

    What is here of the same run stays.
    """
    for table in (stages, places):
        names = [column.name for column in table.primary_key.columns]
        known = {tuple(row[name] for name in names) for row in _rows(here, table, table.c.experiment == key)}
        found = [{**row, "run": run_of[row["run"]]} for row in _rows(other, table, table.c.experiment == key)]
        if new := [row for row in found if tuple(row[name] for name in names) not in known]:
            here.execute(sa.insert(table), new)


def _copy_samples(
    here: sa.Connection, other: sa.Connection, theirs: int, mine: int, only: Collection[int] | None = None
) -> None:
    """Copy samples with their statistics from one experiment to another: all, or those with the given indices."""
    for table in (samples, statistics):
        rows = other.execute(sa.select(table).where(table.c.experiment_id == theirs)).mappings()
        for part in rows.partitions(_AT_ONCE):
            new = [{**one, "experiment_id": mine} for one in part if only is None or one["sample_index"] in only]
            if new:
                here.execute(sa.insert(table), new)


def _fill_missing(here: sa.Connection, other: sa.Connection) -> None:
    """Fill in baselines and classes that only the other database has."""
    e = experiments.c
    for column in (e.baseline, e.classes):
        missing = set(here.scalars(sa.select(e.key).where(column.is_(None))))
        known = other.execute(sa.select(e.key, column).where(column.is_not(None))).all()
        if values := [{"its_key": key, "its_value": value} for key, value in known if key in missing]:
            query = sa.update(experiments).where(e.key == sa.bindparam("its_key"))
            here.execute(query.values({column: sa.bindparam("its_value")}), values)


def _copy_checkpoints(here: sa.Connection, other: sa.Connection, run_of: Mapping[int, int]) -> None:
    """Copy the records of trainings that are new here. The checkpoint files themselves are not moved."""
    known = set(here.scalars(sa.select(checkpoints.c.key)))
    for row in _rows(other, checkpoints):
        if row["key"] not in known:
            here.execute(sa.insert(checkpoints).values({**row, "run": run_of.get(row["run"])}))


def _differing_metrics(
    here: sa.Connection, other: sa.Connection, key: str
) -> list[tuple[str, str, float | None, float | None]]:
    """Return the metrics of an experiment that differ between both databases: key, metric, value here, value there."""
    m = metrics.c
    query = sa.select(m.metric, m.value).where(m.experiment == key).order_by(m.position)
    theirs: dict[str, float | None] = {row.metric: row.value for row in other.execute(query)}
    mine = here.execute(query).all()
    return [(key, name, value, theirs[name]) for name, value in mine if name in theirs and theirs[name] != value]
