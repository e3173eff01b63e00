"""What was altered in a database is found, what this program wrote is not taken for altered, and foreign files stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.errors import NoResultsError, StoreError
from harness.keep.processes import this_process
from harness.records import Checkpoint, Claim, Placed, Totals
from harness_plugins.sql_store import SqlStore, digests, schema, views
from kit.store_rows import INFO, cell, failed, metric, put_results, row

TRAINING = Checkpoint("k" * 64, {"recipe": "r"}, "/w.safetensors", "a" * 64, 10, 3, None, "iteration,part,loss,value\n")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Two finished experiments, an interrupted one with samples, a training and stages."""
    made = SqlStore(str(tmp_path / "harness.db"))
    made.open()
    put_results(made)
    run = made.begin_run(INFO)
    claim = Claim(this_process(), run)
    third = cell(level=10.0)
    made.register([third], run)
    made.claim([third.key], claim)
    made.write([row(third.key, 0), row(third.key, 1), failed(third.key, 2)], claim)
    made.release([third.key], claim, "interrupted")
    made.add_stages(third.key, run, {"read": 1.5, "workers": 2})
    made.add_stages(third.key, run, {"read": 1.5})
    made.add_places([Placed(third.key, run, "process 2", "cpu", 2), Placed(third.key, run, "process 1", "cpu", 1)])
    made.keep_checkpoint(TRAINING, run)
    made.end_run(run, "interrupted")
    yield made
    made.close()


def problems(path: Path) -> list[str]:
    reader = SqlStore(str(path))
    reader.open(write=False)
    found = list(reader.check())
    reader.close()
    return found


def change(path: Path, sql: str, *values: object) -> int:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, values).rowcount


def test_what_this_program_writes_is_not_altered(store: SqlStore, tmp_path: Path) -> None:
    file = tmp_path / "harness.db"
    assert list(store.check()) == []
    assert list(store.not_covered()) == []
    sealed = "SELECT count(*) FROM {} WHERE digest IS NULL"
    for table in ("experiments", "runs", "comparisons", "stages", "places", "checkpoints"):
        assert store.select(sealed.format(table))[1] == [(0,)], table
    claim = Claim(this_process(), store.begin_run(INFO))
    key = cell(level=10.0).key
    assert store.claim([key], claim) == {key}
    assert store.select(sealed.format("experiments"))[1] == [(1,)]
    store.write([row(key, 3)], claim)
    store.finish(key, claim, Totals(3, 1), [metric("AP", 0.25)], "1 of 4 samples failed")
    assert store.claim([key], claim) == {key}  # a failed one is tried again: its failed sample goes
    store.write([row(key, 2)], claim)
    store.finish(key, claim, Totals(4, 0), [metric("AP", 0.25)])
    assert list(store.check()) == []
    store.close()
    SqlStore.merge([str(file)], f"{tmp_path}/merged.db", False, lambda merged: None)
    assert problems(tmp_path / "merged.db") == []
    assert problems(file) == []


COLUMNS = [
    *(("experiments", name) for name in digests._EXPERIMENT),
    *(("metrics", name) for name in digests._METRIC),
    *(("samples", name) for name in digests._SAMPLE),
    *((table, name) for table, names in digests._COLUMNS.items() for name in names),
]


def test_a_change_of_any_column_is_found(store: SqlStore, tmp_path: Path) -> None:
    """Each column of one row is changed in turn, and changed back."""
    file = tmp_path / "harness.db"
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table, column in COLUMNS:
            where = "experiment_id = 3 AND sample_index = 1" if table == "samples" else "TRUE"
            (before, *key), names = one_row(connection, table, column, where)
            same = " AND ".join(f'"{name}" IS ?' for name in names)
            after = before + 7 if isinstance(before, int | float) else (before or "") + "0"
            update = f'UPDATE {table} SET "{column}" = ? WHERE {same}'
            assert connection.execute(update, (after, *key)).rowcount == 1, (table, column)
            connection.commit()
            assert problems(file), (table, column)
            changed = [after if name == column else value for name, value in zip(names, key, strict=True)]
            assert connection.execute(update, (before, *changed)).rowcount == 1
            connection.commit()
    assert problems(file) == []


def one_row(connection: sqlite3.Connection, table: str, column: str, where: str) -> tuple[tuple[Any, ...], list[str]]:
    names = [one.name for one in schema.metadata.tables[table].primary_key]
    listed = ", ".join(f'"{name}"' for name in (column, *names))
    return connection.execute(f"SELECT {listed} FROM {table} WHERE {where} ORDER BY 1 DESC LIMIT 1").fetchone(), names


def test_an_altered_experiment_is_not_continued(store: SqlStore, tmp_path: Path) -> None:
    change(tmp_path / "harness.db", "UPDATE samples SET bits = bits + 1 WHERE sample_index = 1")
    claim = Claim(this_process(), store.begin_run(INFO))
    with pytest.raises(StoreError, match=r"was altered since it was interrupted .* not continued"):
        store.claim([cell(level=10.0).key], claim)
    assert store.states([cell(level=10.0).key])[cell(level=10.0).key].status == "interrupted"


@pytest.mark.parametrize("table", ["metrics", "samples", "experiments"])
def test_a_row_that_is_missing_is_found(store: SqlStore, tmp_path: Path, table: str) -> None:
    store.close()
    where = "key = ?" if table == "experiments" else "experiment = ?" if table == "metrics" else "experiment_id = 3"
    values = () if table == "samples" else (cell("none", None).key,)
    assert change(tmp_path / "harness.db", f"DELETE FROM {table} WHERE {where}", *values) >= 1
    assert problems(tmp_path / "harness.db")


def test_a_baseline_or_identity_that_is_another_is_found(store: SqlStore, tmp_path: Path) -> None:
    store.close()
    file = tmp_path / "harness.db"
    change(file, "UPDATE experiments SET baseline = 'x' WHERE baseline IS NOT NULL")
    change(file, "UPDATE experiments SET digest = NULL")
    assert any("its baseline x is not there" in problem for problem in problems(file))
    change(file, "UPDATE experiments SET identity = '{}'")
    assert sum("its key is not that of its identity" in problem for problem in problems(file)) == 3


def test_a_link_to_another_baseline_is_found(store: SqlStore, tmp_path: Path) -> None:
    """The baseline is in no digest, because it may be filled in later."""
    store.close()
    file = tmp_path / "harness.db"
    base, tenth = cell("none", None).key, cell(level=10.0).key
    change(file, "UPDATE experiments SET baseline = ? WHERE key = ?", cell().key, tenth)
    (found,) = problems(file)
    assert found.startswith(
        f"experiment {tenth[:12]}: its baseline {cell().key[:12]} is not the uncompressed experiment"
    )
    change(file, "UPDATE experiments SET baseline = ? WHERE key = ?", base, tenth)
    assert problems(file) == []
    change(file, "UPDATE experiments SET baseline = NULL WHERE key = ?", cell().key)
    assert problems(file) == [f"experiment {cell().key[:12]}: it has drops, and names no baseline"]


def test_a_record_that_is_marked_or_unmarked_is_found(store: SqlStore, tmp_path: Path) -> None:
    key = cell().key
    claim = Claim(this_process(), store.begin_run(INFO))
    second = store.begin_again([key])[key]
    store.claim([second], claim)
    store.write([row(second, index) for index in range(4)], claim)
    store.finish(second, claim, Totals(4, 0), [metric("AP", 0.25)])
    record = store.supersede([key])[key]
    assert list(store.check()) == []
    store.close()
    file = tmp_path / "harness.db"
    set_to = "UPDATE experiments SET superseded_at = ? WHERE key = ?"
    (before,) = one_row(sqlite3.connect(file), "experiments", "superseded_at", "superseded_at IS NOT NULL")[0][:1]
    for which, value, told in (
        (record, None, "and not superseded"),
        (record, "2001-01-01T00:00:00+00:00", "is superseded at '2001-01-01T00:00:00+00:00', which is no time after"),
        (record, "yesterday", "is superseded at 'yesterday', which is no time after"),
        (key, before, "it is marked as superseded, and nothing took its place"),
    ):
        old = before if which == record else None
        assert change(file, set_to, value, which) == 1
        assert [text for text in problems(file) if told in text], told
        change(file, set_to, old, which)
    assert problems(file) == []
    change(file, "UPDATE experiments SET original = ? WHERE key = ?", cell(level=10.0).key, record)
    assert any("its key is not that of a superseded record" in text for text in problems(file))


@pytest.mark.parametrize(("column", "value"), [("codec", "webp"), ("level", 51.0), ("task", "pose")])
def test_a_row_without_a_digest_that_contradicts_its_identity_is_found(
    store: SqlStore, tmp_path: Path, column: str, value: Any
) -> None:
    store.close()
    file = tmp_path / "harness.db"
    change(file, f"UPDATE experiments SET digest = NULL, {column} = ? WHERE key = ?", value, cell().key)
    assert any(f"{column} is {value!r}, its identity says" in text for text in problems(file))


def test_rows_of_earlier_versions_have_no_digest_and_are_passed_over(store: SqlStore, tmp_path: Path) -> None:
    store.close()
    file = tmp_path / "harness.db"
    for table in ("experiments", "runs", "comparisons", "stages", "places", "checkpoints"):
        change(file, f"UPDATE {table} SET digest = NULL")
    assert problems(file) == []
    reader = SqlStore(str(file))
    reader.open(write=False)
    told = list(reader.not_covered())
    reader.close()
    assert [text.split(" (")[0] for text in told] == [
        "not covered: 2 rows have no digest in table experiments",
        "not covered: 1 row has no digest in table comparisons",
        "not covered: 2 rows have no digest in table stages",
        "not covered: 2 rows have no digest in table places",
        "not covered: 1 row has no digest in table checkpoints",
        "not covered: 2 rows have no digest in table runs",
    ]


def test_the_digest_of_the_views_is_the_one_that_is_written_down(store: SqlStore) -> None:
    with store._database.reading() as connection:
        found = views.foreign_views(connection)
    assert found is None, f"a view was changed: VIEWS_SHA256 is {found}"


@pytest.mark.parametrize(
    "changes",
    [
        ("DROP VIEW curves",),
        ("DROP VIEW results", "CREATE VIEW results AS SELECT 1 AS one"),
        ("DROP VIEW results", "CREATE TABLE results (one)"),
    ],
)
def test_replaced_views_are_named_and_made_anew(store: SqlStore, tmp_path: Path, changes: tuple[str, ...]) -> None:
    before = store.view("results"), store.view("curves")
    store.close()
    file = tmp_path / "harness.db"
    for sql in changes:
        change(file, sql)
    with pytest.raises(StoreError, match=r"harness\.db has views that are not those of this program"):
        SqlStore(str(file)).open(write=False)
    if "TABLE" in changes[-1]:
        return  # a table is nobody's view, and is not dropped
    writer = SqlStore(str(file))
    writer.open()
    assert (writer.view("results"), writer.view("curves")) == before
    writer.close()


@pytest.mark.parametrize("sql", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
@pytest.mark.parametrize("write", [True, False])
def test_a_database_without_its_version_is_named_and_left(
    store: SqlStore, tmp_path: Path, sql: str, write: bool
) -> None:
    store.close()
    file = tmp_path / "harness.db"
    change(file, sql)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"damaged, or was not made by codec-harness: its? .*alembic_version"):
        SqlStore(str(file)).open(write)
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("alembic", [False, True])
def test_another_programs_file_is_not_touched(tmp_path: Path, mode: str, alembic: bool) -> None:
    file = tmp_path / "bookmarks.db"
    change(file, f"PRAGMA journal_mode = {mode}")
    change(file, "CREATE TABLE bookmarks (url TEXT)")
    if alembic:
        change(file, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
        change(file, "INSERT INTO alembic_version VALUES ('0003')")
    before = file.read_bytes()
    for write in (True, False):
        with pytest.raises(StoreError, match=r"not one of results: it holds the tables .*bookmarks"):
            SqlStore(str(file)).open(write)
        assert file.read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["bookmarks.db"]


def test_nothing_to_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    for name in ("absent.db", "empty.db"):
        (tmp_path / "empty.db").touch()
        with pytest.raises(NoResultsError):
            SqlStore(str(tmp_path / name)).open(write=False)
