"""Reading views: by columns and row by row, through indexes, and with the same rows as the plain definitions."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.errors import StoreError
from harness.experiment import Training
from harness.keep.processes import this_process
from harness.records import Claim, Comparison, Totals
from harness.store import Filters, Store
from harness_plugins.sql_store import SqlStore
from harness_plugins.sql_store.views import VIEWS
from kit.store_rows import INFO, cell, metric, put_results, row

SUBJECT = Filters({"task": ["detection"], "model": ["rcnn"], "dataset": ["streets"]})

OLD_TOPS = """SELECT t.key AS key, t.ladder AS ladder, t.level AS level,
    ROW_NUMBER() OVER (PARTITION BY t.ladder ORDER BY t.bpp DESC, t.key) AS place
FROM experiments t
WHERE t.status = 'finished' AND t.training = 'pretrained' AND t.level IS NOT NULL AND t.bpp IS NOT NULL"""
"""The mildest level of every ladder, by numbering all levels."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(str(tmp_path / "harness.db"))
    made.open()
    yield made
    made.close()


def fill(store: Store, levels: int = 5) -> None:
    """Ladders of two codecs, with equal and missing rates, and a training; some are not finished."""
    claim = Claim(this_process(), store.begin_run(INFO))
    jpeg = [cell(level=float(level)) for level in range(levels)]
    webp = [cell("webp", float(level)) for level in range(levels)]
    trained = cell(level=1.0, training=Training("retrained", "jpeg", 1.0, "level", None, 0, "c", "k", "s"))
    cells = [cell("none", None), *jpeg, *webp, trained]
    store.register(cells, claim.run)
    store.claim([one.key for one in cells], claim)
    for one, bpp in zip(cells, itertools.cycle((2.0, 1.0, 2.0, None)), strict=False):
        if one.key == webp[-1].key:
            continue
        store.write([row(one.key, index) for index in range(3)], claim)
        store.finish(one.key, claim, Totals(3, 0, 9, 9, bpp), [metric("AP", 0.5), metric("AP50", bpp)])
        if one.baseline:
            store.compare([Comparison(one.key, one.baseline, "AP", "drop", 0.1, 0.0, 0.2, 3)])


def plans(store: SqlStore) -> list[str]:
    """The steps of SQLite's plans of all queries from now on, without those that ask for the names of columns."""
    found: list[str] = []

    def explain(connection: sa.Connection, _: object, statement: str, parameters: object, *more: object) -> None:
        if statement.startswith("SELECT") and "sqlite_master" not in statement and not statement.endswith("LIMIT 0"):
            raw = connection.connection.driver_connection
            assert raw is not None
            found.extend(step[3] for step in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    sa.event.listen(store._database._engine, "before_cursor_execute", explain)
    return found


@pytest.mark.parametrize("view", ["results", "curves", "recovery"])
def test_a_view_of_one_model_is_read_through_indexes(store: SqlStore, view: str) -> None:
    fill(store)
    steps = plans(store)
    assert store.view(view, SUBJECT)[1]
    assert not any(step.startswith("SCAN") for step in steps), steps
    assert any("ix_experiments_subject" in step for step in steps), steps
    assert not any("MATERIALIZE" in step or "CO-ROUTINE" in step for step in steps), steps


def test_the_tops_of_all_ladders_are_looked_up(store: SqlStore) -> None:
    fill(store)
    steps = plans(store)
    store.view("curves")
    assert any("ix_experiments_ladder" in step and "COVERING" in step for step in steps), steps
    assert not any(step.startswith("SCAN") and "ix_experiments" not in step for step in steps), steps


def test_the_tops_are_those_of_the_numbered_ladders(store: SqlStore) -> None:
    fill(store)
    query = f"""SELECT e.key, m.metric, tops.level, tm.value FROM experiments e JOIN metrics m ON m.experiment = e.key
        LEFT JOIN ({OLD_TOPS}) tops ON tops.ladder = e.ladder AND tops.place = 1
        LEFT JOIN metrics tm ON tm.experiment = tops.key AND tm.metric = m.metric
        WHERE e.status = 'finished'"""
    expected = sorted(map(repr, store.select(query)[1]))
    found = [tuple(values) for values in store.read("curves", ("experiment", "metric", "top_level", "top"))]
    assert sorted(map(repr, found)) == expected
    assert len({level for _, _, level, _ in found}) > 2


def test_no_statistics_are_read_for_views_and_states(store: SqlStore) -> None:
    fill(store)
    steps = plans(store)
    for view in VIEWS:
        store.view(view)
    store.states([experiment.key for experiment in store.experiments()])
    assert not any("statistics" in step for step in steps), steps


@pytest.mark.parametrize("view", VIEWS)
def test_columns_are_those_of_the_whole_view(store: SqlStore, view: str) -> None:
    fill(store)
    columns, rows = store.view(view)
    for some in (columns, columns[:1], columns[-1:], [columns[3], columns[0]]):
        places = [columns.index(name) for name in some]
        expected = [tuple(row[place] for place in places) for row in rows]
        assert list(store.read(view, some)) == expected
        assert list(Store.read(store, view, some)) == expected
        distinct = list(store.read(view, some, distinct=True))
        assert len(distinct) == len(set(distinct))
        assert set(distinct) == set(expected)
        if "experiment" in some:
            place = some.index("experiment")
            assert list(dict.fromkeys(row[place] for row in distinct)) == list(
                dict.fromkeys(row[place] for row in expected)
            )


def test_a_claim_that_lapsed_is_interrupted_in_columns_too(store: SqlStore) -> None:
    put_results(store)
    lapsed = cell(level=7.0)
    claim = Claim("dead-host:1:1", store.begin_run(INFO), lease=-1.0)
    store.register([lapsed], claim.run)
    store.claim([lapsed.key], claim)
    columns, rows = store.view("results")
    assert {row[columns.index("status")] for row in rows} == {"finished", "interrupted"}
    assert list(store.read("results", ("status",), Filters({"status": ["interrupted"]}))) == [("interrupted",)]
    assert list(store.read("results", ("level",), Filters({"status": ["interrupted"]}))) == [(7.0,)]
    assert list(store.read("results", ("level",), Filters({"status": ["running"]}))) == []
    assert sorted(store.read("results", ("status",), distinct=True)) == [("finished",), ("interrupted",)]


def test_a_column_that_is_not_there(store: SqlStore) -> None:
    put_results(store)
    for read in (store.read, lambda *asked: Store.read(store, *asked)):
        with pytest.raises(StoreError, match="no column 'colour'"):
            list(read("results", ("colour",)))


def test_another_transaction_can_write_while_rows_are_read(store: SqlStore) -> None:
    fill(store, 30)
    rows = store.read("results", ("experiment",))
    next(rows)
    claim = Claim(this_process(), store.begin_run(INFO))
    store.register([replace(cell(level=99.0))], claim.run)
    assert len(list(rows)) == 2 * 61
