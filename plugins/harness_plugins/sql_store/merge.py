"""Merge the experiments of one SQLite file into another, each experiment once.

An experiment's key is the digest of everything that determines its result. So two experiments with equal keys are the
same experiment, wherever they ran. When both files have it, a finished one is kept; if neither is finished, the one
with more samples; if both are finished, the target's. But a record that one file has as superseded (`again`) does not
come back from another file: there the record that superseded it is kept.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.experiment import subject_key
from harness.records import Merged
from harness_plugins.sql_store.again import forget_stale
from harness_plugins.sql_store.check import damage_told
from harness_plugins.sql_store.copies import copy_file, version_of, without_journal, write_back
from harness_plugins.sql_store.digests import with_digest
from harness_plugins.sql_store.location import check_file, file_url
from harness_plugins.sql_store.record_keys import record_key
from harness_plugins.sql_store.schema import (
    checkpoints,
    comparisons,
    experiments,
    metrics,
    resamples,
    runs,
    samples,
    stages,
    statistics,
)

if TYPE_CHECKING:
    from harness_plugins.sql_store import SqlStore

__all__ = ["absorb", "link_baselines", "merge_into"]

_OTHER = "other"


def merge_into(
    store: type[SqlStore], sources: Sequence[Path], target: Path, into: bool, join: Callable[[SqlStore], None]
) -> list[Merged]:
    """Merge SQLite files into a copy of the target, call `join` on the copy, and put the copy in the target's place.

    Args:
        store: the class of the store.
        sources: the files to merge.
        target: the resulting file.
        into: whether the target exists and keeps its experiments; otherwise the copy starts empty.
        join: is called with the merged store, before it replaces the target.

    Raises:
        StoreError: a file cannot be read, or another process wrote to the target meanwhile. The target is then
            unchanged.
    """
    merged = []
    with ExitStack() as stack:
        for source in sources:
            check_file(source, write=False)
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".merge-"))
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}.") from error
        whole = Path(folder) / "whole.db"
        watcher = None
        if into:
            with closing(store(str(target))) as existing:
                existing.open(write=False)  # raises for a file that is not a results database, without changing it
                existing.open()  # as a run does: switches to WAL mode, so that it can be read while it is written
            watcher = stack.enter_context(closing(sqlite3.connect(file_url(target, "rw"), uri=True)))
            before = version_of(watcher, target)
            copy_file(target, whole)
        result = store(str(whole))
        result.open()
        problems: dict[Path, list[str]] = {}
        try:
            with damage_told(problems):
                for number, source in enumerate(sources):
                    part = Path(folder) / f"{number}.db"
                    copy_file(source, part)
                    problems[source] = _upgrade_copy(store, part, source)
                    merged.append(replace(_absorb_file(result, part), problems=problems[source]))
                with result._database.writing() as connection:
                    link_baselines(connection)
                join(result)
        finally:
            result.close()
        without_journal(whole, target)
        if watcher is None:
            whole.replace(target)
        else:
            write_back(whole, target, watcher, before)
    return merged


def _upgrade_copy(store: type[SqlStore], path: Path, source: Path) -> list[str]:
    """Upgrade a copy to the newest schema; return what is wrong with it. Messages name the original file instead."""
    copy = store(str(path))
    try:
        copy.open()
        return [problem.replace(str(path), str(source)) for problem in islice(copy.check(), 5)]
    except StoreError as error:
        raise StoreError(str(error).replace(str(path), str(source))) from error
    finally:
        copy.close()


def _absorb_file(store: SqlStore, part: Path) -> Merged:
    """Attach the file `part` and absorb it. SQLite requires the ATTACH to be outside the transaction."""
    engine = store._database._engine
    with engine.connect() as raw:
        driver: Any = raw.connection.driver_connection
        driver.execute(f"ATTACH DATABASE ? AS {_OTHER}", (str(part),))
        try:
            with raw.execution_options(immediate=True).begin():
                return absorb(raw)
        finally:
            driver.execute(f"DETACH DATABASE {_OTHER}")


def absorb(connection: sa.Connection) -> Merged:
    """Copy the experiments of the database that is attached as `other` into the main database, and count them.

    It runs in the connection's transaction. The attached database must have the newest schema.
    """
    run_of = _copy_runs(connection)
    mine, theirs = _experiments_in(connection, "main"), _experiments_in(connection, _OTHER)
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
                forget_stale(connection, key)
                _copy_experiment(connection, key, theirs_row["id"], mine_row["id"], run_of)
                taken.append(key)
            elif theirs_row["status"] == "finished" and not {key, _record(theirs_row)} & superseded:
                duplicates += 1
                differing += _differing_metrics(connection, key)
            continue
        if mine_row is not None and (
            theirs_row["status"] is None or _completeness(theirs_row) <= _completeness(mine_row)
        ):
            continue
        _copy_experiment(connection, key, theirs_row["id"], mine_row["id"] if mine_row else None, run_of)
        taken.append(key)
    if differing:  # copied drops and recoveries may have been computed from results that are not the kept ones
        connection.execute(sa.delete(comparisons).where(comparisons.c.experiment.in_(taken)))
    _fill_missing(connection)
    _copy_checkpoints(connection, run_of)
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


def _experiments_in(connection: sa.Connection, database: str) -> dict[str, Mapping[str, Any]]:
    """Return the id, status and number of samples of each experiment in a database ("main" or "other"), by key.

    With them comes what a record's own key is made of, and whether it is superseded.
    """
    query = f"""SELECT e.key, e.id, e.status, e.original, e.superseded_at, e.finished_at, r.host, r.process,
        (SELECT COUNT(*) FROM {database}.samples s WHERE s.experiment_id = e.id) AS held
        FROM {database}.experiments e JOIN {database}.runs r ON r.id = e.run ORDER BY e.id"""
    return {row["key"]: dict(row) for row in connection.execute(sa.text(query)).mappings()}


def _record(row: Mapping[str, Any]) -> str:
    """Return the key that a record has once it is superseded."""
    return record_key(row["key"], row["finished_at"], row["host"], row["process"])


def _completeness(row: Mapping[str, Any]) -> tuple[bool, int]:
    """Return a sort key: the experiment with the larger value is kept."""
    return row["status"] == "finished", row["held"]


def _names(table: sa.Table, *without: str) -> list[str]:
    return [f'"{column.name}"' for column in table.columns if column.name not in without]


def _copy_runs(connection: sa.Connection) -> dict[int, int]:
    """Copy the runs of the other file that are new here. Return the id here of each run, by its id in the other
    file."""
    identifying = [runs.c[name] for name in ("command", "started_at", "host", "process")]
    known = {tuple(row[1:]): row[0] for row in connection.execute(sa.select(runs.c.id, *identifying))}
    id_here = {}
    rows = connection.execute(sa.text(f"SELECT * FROM {_OTHER}.runs ORDER BY id")).mappings().all()
    for row in rows:
        identity = tuple(row[column.name] for column in identifying)
        if identity not in known:
            values = {name: value for name, value in row.items() if name != "id"}
            if values["status"] == "running":
                sound = with_digest(runs, row)["digest"] == row["digest"]
                values["status"] = "interrupted"
                values = with_digest(runs, values) if sound else values
            inserted = connection.execute(sa.insert(runs).values(values)).inserted_primary_key
            assert inserted is not None
            known[identity] = int(inserted[0])
        id_here[row["id"]] = known[identity]
    return id_here


def _copy_experiment(
    connection: sa.Connection, key: str, theirs: int, mine: int | None, run_of: Mapping[int, int]
) -> None:
    """Copy an experiment with all that belongs to it, and delete what this database had of it."""
    if mine is not None:
        for table in (statistics, samples):
            connection.execute(sa.delete(table).where(table.c.experiment_id == mine))
        for table in (metrics, comparisons, stages, resamples):
            connection.execute(sa.delete(table).where(table.c.experiment == key))
        connection.execute(sa.delete(comparisons).where(comparisons.c.other == key))
        connection.execute(sa.delete(experiments).where(experiments.c.id == mine))
    query = f"SELECT * FROM {_OTHER}.experiments WHERE id = :id"
    row = dict(connection.execute(sa.text(query), {"id": theirs}).mappings().one())
    running = row["status"] == "running"
    row |= {"run": run_of[row["run"]], "owner": None, "lease": None, "lease_until": None}
    row |= {"status": "interrupted"} if running else {}
    row.pop("id")
    inserted = connection.execute(sa.insert(experiments).values(row)).inserted_primary_key
    assert inserted is not None
    for table in (samples, statistics):
        names = ", ".join(_names(table, "experiment_id"))
        query = f"""INSERT INTO main.{table.name} (experiment_id, {names})
            SELECT :mine, {names} FROM {_OTHER}.{table.name} WHERE experiment_id = :theirs"""
        connection.execute(sa.text(query), {"mine": int(inserted[0]), "theirs": theirs})
    for table in (metrics, comparisons, resamples):
        names = ", ".join(_names(table))
        query = (
            f"INSERT INTO main.{table.name} ({names}) SELECT {names} FROM {_OTHER}.{table.name} WHERE experiment = :key"
        )
        connection.execute(sa.text(query), {"key": key})
    query = f"SELECT run, stage, seconds, digest FROM {_OTHER}.stages WHERE experiment = :key"
    found = connection.execute(sa.text(query), {"key": key}).mappings().all()
    if found:
        rows = [{**stage, "experiment": key, "run": run_of[stage["run"]]} for stage in found]
        connection.execute(sa.insert(stages), rows)


def _fill_missing(connection: sa.Connection) -> None:
    """Fill in baselines and classes that only the other file has."""
    for name in ("baseline", "classes"):
        query = f"""UPDATE main.experiments SET {name} = (SELECT o.{name} FROM {_OTHER}.experiments o
            WHERE o.key = main.experiments.key) WHERE {name} IS NULL"""
        connection.execute(sa.text(query))


def _copy_checkpoints(connection: sa.Connection, run_of: Mapping[int, int]) -> None:
    """Copy the records of trainings that are new here. The checkpoint files themselves are not moved."""
    here = set(connection.scalars(sa.select(checkpoints.c.key)))
    for row in connection.execute(sa.text(f"SELECT * FROM {_OTHER}.checkpoints")).mappings().all():
        if row["key"] not in here:
            values = {**row, "run": run_of.get(row["run"])}
            connection.execute(sa.insert(checkpoints).values(values))


def _differing_metrics(connection: sa.Connection, key: str) -> Sequence[tuple[str, str, float | None, float | None]]:
    """Return the metrics of an experiment that differ between both files: key, metric, value here, value in the
    other."""
    query = f"""SELECT m.metric, m.value, o.value FROM main.metrics m JOIN {_OTHER}.metrics o
        ON o.experiment = m.experiment AND o.metric = m.metric
        WHERE m.experiment = :key AND m.value IS NOT o.value ORDER BY m.position"""
    return [(key, *row) for row in connection.execute(sa.text(query), {"key": key})]
