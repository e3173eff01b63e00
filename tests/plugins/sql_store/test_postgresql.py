"""The SQL store on PostgreSQL: the same contract as SQLite's, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.postgres import Server, skip_without_server
from kit.store_cases import StoreCases

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
