"""The SQL store on PostgreSQL: the same contract as SQLite's, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.records import Placed
from harness_plugins.sql_store import SqlStore
from harness_plugins.sql_store.views import drop_views
from kit.postgres import Server, skip_without_server
from kit.store_cases import StoreCases
from kit.store_rows import put_results

skip_without_server()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("postgres") / "log")
    yield running
    running.remove()


class TestPostgresql(StoreCases):
    @pytest.fixture
    def url(self, server: Server) -> str:
        return server.fresh("results")

    def test_a_database_of_schema_0010_gets_places_and_views_of_floating_point_numbers(
        self, store: SqlStore, url: str
    ) -> None:
        """The first databases of 0010 have views in which a written number makes an exact decimal."""
        none, jpeg = put_results(store)
        before = store.view("curves")
        with store._database.writing() as connection:
            drop_views(connection)
            for sql in (
                "DROP TABLE places",
                "UPDATE alembic_version SET version_num = '0010'",
                "CREATE VIEW curves AS SELECT key AS experiment, 24.0 / bits AS compression_ratio FROM experiments",
            ):
                connection.exec_driver_sql(sql)
        store.close()
        store.open()
        kind = "SELECT data_type FROM information_schema.columns WHERE table_name = 'curves' AND column_name = '{}'"
        for column in ("compression_ratio", "drop", "relative_drop"):
            assert store.select(kind.format(column))[1] == [("double precision",)], column
        assert store.view("curves") == before
        placed = [Placed(jpeg.key, 1, "process 1", "cpu", 4)]
        store.add_places(placed)
        assert store.places([none.key, jpeg.key]) == placed
