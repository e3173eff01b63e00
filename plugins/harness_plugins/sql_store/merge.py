"""Takes the experiments of one SQLite file into another, each cell once.

An experiment's key is the digest of everything that determines its result, so equal keys are the same cell, wherever
they were run. Of two, a finished one is kept, else that with more samples; of two finished ones that of the target.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.errors import StoreError
from harness.experiment import key_of
from harness.records import Merged
from harness_plugins.sql_store.location import check_file, file_url
from harness_plugins.sql_store.schema import checkpoints, comparisons, experiments, metrics, runs, samples, statistics

if TYPE_CHECKING:
    from harness_plugins.sql_store import SqlStore

__all__ = ["absorb", "link_baselines", "merge_into"]

_OTHER = "other"


def merge_into(
    store: type[SqlStore], sources: Sequence[Path], target: Path, into: bool, join: Callable[[SqlStore], None]
) -> list[Merged]:
    """Take files into a copy of the target (or of nothing), let `join` add what follows, and put it in place.

    Raises:
        StoreError: a file that cannot be read, or a target that somebody wrote to meanwhile; it is as they left it.
    """
    found = []
    with ExitStack() as stack:
        for source in sources:
            check_file(source, write=False)
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".merge-"))
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}.") from error
        whole = Path(folder) / "whole.db"
        watch = None
        if into:
            with closing(store(str(target))) as there:
                there.open(write=False)  # refuses what is no database of results, and leaves it as it is
                there.open()  # as any run would: from then on it can be read while it is written
            watch = stack.enter_context(closing(sqlite3.connect(file_url(target, "rw"), uri=True)))
            before = _version(watch, target)
            _copy(target, whole)
        made = store(str(whole))
        made.open()
        try:
            for number, source in enumerate(sources):
                part = Path(folder) / f"{number}.db"
                _copy(source, part)
                _upgraded(store, part, source)
                found.append(_absorbed(made, part))
            with made._database.writing() as connection:
                link_baselines(connection)
            join(made)
        finally:
            made.close()
        with closing(sqlite3.connect(whole)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        if watch is None:
            whole.replace(target)
        else:
            _write_back(whole, target, watch, before)
    return found


def _version(watch: sqlite3.Connection, target: Path) -> int:
    """A number that changes when another connection writes to the file."""
    try:
        return int(watch.execute("PRAGMA data_version").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{target} cannot be read: {error}.") from error


def _write_back(whole: Path, target: Path, watch: sqlite3.Connection, before: int) -> None:
    """Write the whole into the target's own file, in one transaction, unless somebody wrote to it since.

    The file is not replaced: what another process that has it open wrote later would go to a file without a name.
    The first of two steps locks other writers out, so what is then seen of them is all there can be.
    """

    def check(status: int, left: int, total: int) -> None:
        if status != sqlite3.SQLITE_DONE and _version(watch, target) != before:
            told = f"{target} was written to meanwhile, and is left as it is. Merge again when no run uses it."
            raise StoreError(told)

    try:
        with closing(sqlite3.connect(whole)) as made, closing(sqlite3.connect(target)) as to:
            pages = int(made.execute("PRAGMA page_count").fetchone()[0])
            made.backup(to, pages=max(1, pages - 1), progress=check)
    except sqlite3.Error as error:
        raise StoreError(f"{target} cannot be written: {error}.") from error


def _upgraded(store: type[SqlStore], part: Path, source: Path) -> None:
    """Bring a copy to the newest schema; what is wrong with it is said of the file that it is a copy of."""
    made = store(str(part))
    try:
        made.open()
    except StoreError as error:
        raise StoreError(str(error).replace(str(part), str(source))) from error
    finally:
        made.close()


def _absorbed(store: SqlStore, part: Path) -> Merged:
    """Attached outside the transaction, as SQLite wants it."""
    engine = store._database._engine
    with engine.connect() as raw:
        driver: Any = raw.connection.driver_connection
        driver.execute(f"ATTACH DATABASE ? AS {_OTHER}", (str(part),))
        try:
            with raw.execution_options(immediate=True).begin():
                return absorb(raw)
        finally:
            driver.execute(f"DETACH DATABASE {_OTHER}")


def _copy(source: Path, target: Path) -> None:
    """A consistent copy of a database that somebody may be writing to."""
    try:
        with (
            closing(sqlite3.connect(file_url(source, "ro"), uri=True)) as reading,
            closing(sqlite3.connect(target)) as to,
        ):
            reading.backup(to)
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be read: {error}.") from error


def absorb(connection: sa.Connection) -> Merged:
    """Take what the file has that is attached as `other`, of the newest schema, in the connection's transaction."""
    run_of = _runs(connection)
    mine, theirs = _known(connection, "main"), _known(connection, _OTHER)
    taken: list[str] = []
    doubles = 0
    differing: list[tuple[str, str, float | None, float | None]] = []
    for key, other in theirs.items():
        own = mine.get(key)
        if own is not None and own["status"] == "finished":
            if other["status"] == "finished":
                doubles += 1
                differing += _differing(connection, key)
            continue
        if own is not None and (other["status"] is None or _worth(other) <= _worth(own)):
            continue
        _take(connection, key, other["id"], own["id"] if own else None, run_of)
        taken.append(key)
    if differing:  # drops and recoveries that came along may stand on results other than those that are kept
        connection.execute(sa.delete(comparisons).where(comparisons.c.experiment.in_(taken)))
    _fill(connection)
    _checkpoints(connection, run_of)
    return Merged(len(taken), doubles, tuple(differing))


def link_baselines(connection: sa.Connection) -> int:
    """Let experiments that were planned without a baseline know theirs, if it has come by another file."""
    e = experiments.c
    rows = connection.execute(sa.select(e.key, e.codec, e.codec_options, e.training, e.baseline, e.identity)).all()
    bases: dict[str, str] = {}
    lacking: list[tuple[str, str]] = []
    for row in rows:
        identity = json.loads(row.identity)
        subject = key_of({name: value for name, value in identity.items() if name not in ("codec", "training")})
        if row.codec == "none" and row.codec_options == "{}" and row.training == "pretrained":
            bases[subject] = row.key
        elif row.baseline is None:
            lacking.append((row.key, subject))
    found = [{"its_key": key, "its_base": bases[subject]} for key, subject in lacking if subject in bases]
    if found:
        query = sa.update(experiments).where(e.key == sa.bindparam("its_key")).values(baseline=sa.bindparam("its_base"))
        connection.execute(query, found)
    return len(found)


def _known(connection: sa.Connection, where: str) -> dict[str, Mapping[str, Any]]:
    query = f"""SELECT e.key, e.id, e.status,
        (SELECT COUNT(*) FROM {where}.samples s WHERE s.experiment_id = e.id) AS held
        FROM {where}.experiments e ORDER BY e.id"""
    return {row["key"]: dict(row) for row in connection.execute(sa.text(query)).mappings()}


def _worth(row: Mapping[str, Any]) -> tuple[bool, int]:
    return row["status"] == "finished", row["held"]


def _names(table: sa.Table, *without: str) -> list[str]:
    return [f'"{column.name}"' for column in table.columns if column.name not in without]


def _runs(connection: sa.Connection) -> dict[int, int]:
    """The runs of the other file, with the numbers that they have here; one that is here already keeps its own."""
    identifying = [runs.c[name] for name in ("command", "started_at", "host", "process")]
    here = {tuple(row[1:]): row[0] for row in connection.execute(sa.select(runs.c.id, *identifying))}
    found = {}
    rows = connection.execute(sa.text(f"SELECT * FROM {_OTHER}.runs ORDER BY id")).mappings().all()
    for row in rows:
        same = tuple(row[column.name] for column in identifying)
        if same not in here:
            values = {name: value for name, value in row.items() if name != "id"}
            values["status"] = "interrupted" if values["status"] == "running" else values["status"]
            made = connection.execute(sa.insert(runs).values(values)).inserted_primary_key
            assert made is not None
            here[same] = int(made[0])
        found[row["id"]] = here[same]
    return found


def _take(connection: sa.Connection, key: str, theirs: int, mine: int | None, run_of: Mapping[int, int]) -> None:
    """An experiment with its samples, statistics, metrics and comparisons, in place of what is here of it."""
    if mine is not None:
        for table in (statistics, samples):
            connection.execute(sa.delete(table).where(table.c.experiment_id == mine))
        for table in (metrics, comparisons):
            connection.execute(sa.delete(table).where(table.c.experiment == key))
        connection.execute(sa.delete(comparisons).where(comparisons.c.other == key))
        connection.execute(sa.delete(experiments).where(experiments.c.id == mine))
    query = f"SELECT * FROM {_OTHER}.experiments WHERE id = :id"
    row = dict(connection.execute(sa.text(query), {"id": theirs}).mappings().one())
    running = row["status"] == "running"
    row |= {"run": run_of[row["run"]], "owner": None, "lease": None, "lease_until": None}
    row |= {"status": "interrupted"} if running else {}
    row.pop("id")
    made = connection.execute(sa.insert(experiments).values(row)).inserted_primary_key
    assert made is not None
    for table in (samples, statistics):
        names = ", ".join(_names(table, "experiment_id"))
        query = f"""INSERT INTO main.{table.name} (experiment_id, {names})
            SELECT :mine, {names} FROM {_OTHER}.{table.name} WHERE experiment_id = :theirs"""
        connection.execute(sa.text(query), {"mine": int(made[0]), "theirs": theirs})
    for table in (metrics, comparisons):
        names = ", ".join(_names(table))
        query = (
            f"INSERT INTO main.{table.name} ({names}) SELECT {names} FROM {_OTHER}.{table.name} WHERE experiment = :key"
        )
        connection.execute(sa.text(query), {"key": key})


def _fill(connection: sa.Connection) -> None:
    """Baselines and classes that only the other file knows."""
    for name in ("baseline", "classes"):
        query = f"""UPDATE main.experiments SET {name} = (SELECT o.{name} FROM {_OTHER}.experiments o
            WHERE o.key = main.experiments.key) WHERE {name} IS NULL"""
        connection.execute(sa.text(query))


def _checkpoints(connection: sa.Connection, run_of: Mapping[int, int]) -> None:
    """What trainings made, where it is not known here; the files stay where they are."""
    here = set(connection.scalars(sa.select(checkpoints.c.key)))
    for row in connection.execute(sa.text(f"SELECT * FROM {_OTHER}.checkpoints")).mappings().all():
        if row["key"] not in here:
            values = {**row, "run": run_of.get(row["run"])}
            connection.execute(sa.insert(checkpoints).values(values))


def _differing(connection: sa.Connection, key: str) -> Sequence[tuple[str, str, float | None, float | None]]:
    query = f"""SELECT m.metric, m.value, o.value FROM main.metrics m JOIN {_OTHER}.metrics o
        ON o.experiment = m.experiment AND o.metric = m.metric
        WHERE m.experiment = :key AND m.value IS NOT o.value ORDER BY m.position"""
    return [(key, *row) for row in connection.execute(sa.text(query), {"key": key})]
