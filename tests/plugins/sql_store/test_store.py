"""The SQL store: the contract on SQLite, and on PostgreSQL where a server and its driver are installed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.discovery.plugins import Plugins
from harness.discovery.stores import open_store
from harness.errors import StoreError
from harness.experiment import Training, key_of
from harness.keep.processes import this_process
from harness.records import Claim
from harness_plugins.sql_store import SqlStore, claims, schema, upgrade, views
from harness_plugins.sql_store.database import Database
from kit.store_cases import StoreCases
from kit.store_rows import INFO, cell, put_results, rows_of

NEXT = f"{int(schema.REVISION) + 1:04}"
NEW = ("cell", "series", "ladder", "classes", "frames", "compiled", "original", "superseded_at")
"""Columns of `experiments` that version 0002 did not have."""

IDENTIFYING = [
    *("experiment", "run", "codec", "codec_options", "level", "level_name", "task", "model", "weights", "dataset"),
    *("split", "training", "train_codec", "train_level", "train_mode", "parts", "reference", "seed", "metric"),
]
COLUMNS = {
    "results": [
        *IDENTIFYING,
        *("value", "ci_low", "ci_high", "is_primary", "higher_is_better", "bpp", "kbps", "bytes", "psnr", "encode_ms"),
        *("decode_ms", "samples", "failed_samples", "seconds", "status", "finished_at"),
        *("planned_samples", "precision", "batch", "groups", "cell", "series"),
        *("frame_pixels", "dataset_options", "compiled"),
    ],
    "curves": [
        *IDENTIFYING,
        *("value", "baseline", "drop", "drop_ci_low", "drop_ci_high", "relative_drop", "bpp", "compression_ratio"),
        *("source_bpp", "is_primary", "planned_samples", "precision", "batch"),
        *("top_level", "top", "drop_from_top", "relative_drop_from_top", "compiled"),
    ],
    "per_sample": [
        *("experiment", "sample", "group", "bytes", "pixels", "psnr", "seconds", "status", "error", "score"),
    ],
    "profile": [
        *(name for name in IDENTIFYING if name != "metric"),
        *("planned_samples", "precision", "batch", "compiled", "device", "runs", "samples", "workers"),
        *("read_seconds", "encode_seconds", "decode_seconds", "prepare_seconds", "hand_over_seconds", "wait_seconds"),
        *("predict_seconds", "score_seconds", "write_seconds", "finish_seconds", "wall_seconds"),
        *("image_levels_per_second", "busy_share", "bottleneck"),
    ],
    "superseded": [
        *IDENTIFYING,
        *("value", "ci_low", "ci_high", "is_primary", "higher_is_better", "bpp", "kbps", "bytes", "psnr", "encode_ms"),
        *("decode_ms", "samples", "failed_samples", "seconds", "finished_at"),
        *("planned_samples", "precision", "batch", "compiled", "superseded_at", "record"),
    ],
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, to be copied: making one takes longer than most tests."""
    made = SqlStore(str(tmp_path_factory.mktemp("empty") / "harness.db"))
    made.open()
    made.close()
    return Path(made.url)


class TestSqlite(StoreCases):
    @pytest.fixture
    def url(self, empty: Path, tmp_path: Path) -> str:
        shutil.copy(empty, tmp_path / "harness.db")
        return f"sqlite:///{tmp_path}/harness.db"


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[SqlStore]:
    shutil.copy(empty, tmp_path / "harness.db")
    made = SqlStore(str(tmp_path / "harness.db"))
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize("view", COLUMNS)
def test_the_columns_of_the_views_are_what_people_script_against(store: SqlStore, view: str) -> None:
    assert store.view(view)[0] == COLUMNS[view]


def test_the_migrations_make_the_tables_of_the_schema(store: SqlStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


@pytest.mark.parametrize("url", ["sqlite:///{}/r.db", "sqlite:////{}/r.db", "{}/r.db"])
def test_urls_and_paths(tmp_path: Path, url: str) -> None:
    made = SqlStore(url.format(tmp_path))
    made.open()
    made.close()
    assert [path.name for path in tmp_path.iterdir()] == ["r.db"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite://host/file.db"])
def test_urls_that_name_no_file(url: str) -> None:
    with pytest.raises(StoreError, match="names no file"):
        SqlStore(url).open()


def test_a_run_is_recorded(store: SqlStore) -> None:
    run = store.begin_run(INFO)
    store.end_run(run, "failed")
    (found,) = store.runs()
    assert (found.id, found.status, found.info) == (run, "failed", INFO)
    assert found.finished_at is not None
    assert found.started_at <= found.finished_at
    _, rows = store.select("SELECT command, host, device, git, versions, settings, status FROM runs")
    assert rows == [
        ("harness run --codec jpeg", "here", "cpu", None, '{"codec-harness": "0.1"}', '{"workers": 2}', "failed")
    ]


def test_an_older_file_is_upgraded_with_its_views(store: SqlStore, tmp_path: Path) -> None:
    put_results(store)
    before = rows_of(store.view("results"))
    further = tmp_path / "further"
    further.mkdir()
    (further / "further_more.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = '{NEXT}'\ndown_revision = '{schema.REVISION}'\n\n"
        "def upgrade():\n"
        "    op.add_column('samples', sa.Column('lost', sa.Float))\n"
        "    with op.batch_alter_table('metrics') as table:\n"
        "        table.alter_column('n', new_column_name='count')\n"
    )
    database = store._database
    with database.writing() as connection:
        upgrade.to_newest(connection, "it", NEXT, further)
    assert store.select("SELECT version_num FROM alembic_version")[1] == [(NEXT,)]
    assert store.select("SELECT lost FROM samples")[1] == []
    assert store.select("SELECT sum(count) FROM metrics")[1] == [(20,)]
    assert rows_of(store.view("results")) == before


def test_what_experiments_share_is_filled_in_when_an_older_file_is_upgraded(tmp_path: Path) -> None:
    trainings = [Training("retrained", "jpeg", 5.0, "level", None, seed, f"c{seed}", "k") for seed in (0, 1, 2)]
    cells = [cell("none", None), cell(), cell(level=5.0), *(cell(level=5.0, training=one) for one in trainings)]
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        upgrade.to_newest(connection, "it", "0002")
        connection.exec_driver_sql(
            "INSERT INTO runs (id, command, status, started_at, host, process, device, versions, settings)"
            " VALUES (1, '', '', '', '', '', '', '', '')"
        )
        older = sa.table("experiments", *(sa.column(c.name) for c in schema.experiments.c if c.name not in NEW))
        rows = [{name: value for name, value in claims._row(one, 1).items() if name not in NEW} for one in cells]
        connection.execute(sa.insert(older), rows)
        for key, seed in (("c0", 0), ("c1", 1)):
            facts = json.dumps({"recipe": "one", "seed": seed})
            connection.exec_driver_sql("INSERT INTO checkpoints (key, identity) VALUES (?, ?)", (key, facts))
    engine.dispose()
    made = SqlStore(f"{tmp_path}/old.db")
    made.open()
    found = made.select("SELECT key, cell, ladder, series FROM experiments")[1]
    made.close()
    series = [None, None, None, key_of({"recipe": "one"}), key_of({"recipe": "one"}), "c2"]
    assert found == [(one.key, one.cell, one.ladder, its) for one, its in zip(cells, series, strict=True)]
    assert len({one.cell for one in cells}) == 3
    assert len({one.ladder for one in cells}) == 2


def test_classes_are_found_in_the_metrics_of_an_older_file(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        later = ("classes", "frames", "compiled", "digest")
        upgrade.to_newest(connection, "it", "0003")
        connection.exec_driver_sql(
            "INSERT INTO runs (id, command, status, started_at, host, process, device, versions, settings)"
            " VALUES (1, '', '', '', '', '', '', '', '')"
        )
        older = sa.table("experiments", *(sa.column(c.name) for c in schema.experiments.c if c.name not in later))
        cells = [cell("none", None), cell()]
        rows = [{name: value for name, value in claims._row(one, 1).items() if name not in later} for one in cells]
        connection.execute(sa.insert(older), rows)
        for place, name in enumerate(("AP", "AP[car]", "AP[a [b]]", "IoU[car]")):
            values = (cells[0].key, name, place, 4, True, True, "")
            connection.exec_driver_sql(
                "INSERT INTO metrics (experiment, metric, position, n, is_primary, higher_is_better, unit)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
    engine.dispose()
    made = SqlStore(f"{tmp_path}/old.db")
    made.open()
    assert made.classes([one.key for one in cells]) == {cells[0].key: ("car", "a [b]")}
    claim = Claim(this_process(), made.begin_run(INFO))
    made.register([replace(one, classes=("lorry",)) for one in cells], claim.run)
    known = made.classes([one.key for one in cells])
    made.close()
    assert known == {cells[0].key: ("car", "a [b]"), cells[1].key: ("lorry",)}


def test_a_file_without_any_revision_is_upgraded(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("CREATE VIEW results AS SELECT 1 AS one")
    engine.dispose()
    made = SqlStore(f"{tmp_path}/old.db")
    made.open(write=False)  # reading upgrades too, where it may
    assert made.view("results")[0] == COLUMNS["results"]
    made.close()


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_file_is_refused_and_left_alone(store: SqlStore, tmp_path: Path, write: bool) -> None:
    put_results(store)
    with store._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{NEXT}'")
    store.close()
    before = (tmp_path / "harness.db").read_bytes()
    with pytest.raises(StoreError, match=rf"schema version {NEXT}.*up to {schema.REVISION}.*[Uu]pgrade"):
        SqlStore(str(tmp_path / "harness.db")).open(write)
    assert (tmp_path / "harness.db").read_bytes() == before


def test_alembic_is_imported_only_to_create_or_upgrade(store: SqlStore, tmp_path: Path) -> None:
    put_results(store)
    store.close()
    script = (
        "import sys\nfrom harness_plugins.sql_store import SqlStore\nprint('sqlalchemy' in sys.modules)\n"
        f"s = SqlStore({str(tmp_path / 'harness.db')!r})\ns.open()\ns.view('results')\ns.close()\n"
        "print('alembic' in sys.modules, 'numpy' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    assert found.stdout.split() == ["False"] * 3


def test_every_view_has_a_name_and_is_made(store: SqlStore) -> None:
    names = {name for (name,) in store.select("SELECT name FROM sqlite_master WHERE type = 'view'")[1]}
    assert names == set(views.VIEWS)


def test_totals_come_from_the_experiment_not_from_its_samples(store: SqlStore) -> None:
    plan = (
        store.select("EXPLAIN QUERY PLAN SELECT * FROM curves")[1]
        + store.select("EXPLAIN QUERY PLAN SELECT * FROM results")[1]
    )
    assert not [step for step in plan if "samples" in str(step)]


def test_the_store_is_found_by_its_scheme(tmp_path: Path) -> None:
    plugins = Plugins([])
    with pytest.raises(StoreError, match=r"no store opens mysql://.*There is: none"):
        open_store("mysql://host/db", plugins)
    from harness.discovery.plugins import installed

    with pytest.raises(StoreError, match=r"no store opens postgres://.*Did you mean postgresql://"):
        open_store("postgres://host/db", installed())
    made = open_store(str(tmp_path / "a.db"), installed())
    assert isinstance(made, SqlStore)
    made.close()


def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not open"):
        SqlStore(str(tmp_path / "a.db")).states([])


def test_the_engine_is_closed_when_opening_fails(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\x00" + bytes(200))
    with pytest.raises(StoreError, match="is no SQLite database"):
        Database(str(tmp_path / "a.db"), write=True)
