"""The SQL store on PostgreSQL: the same contract, on a server that the test starts from Debian's packages."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from kit.store_cases import StoreCases

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

if not PROGRAMS or find_spec("psycopg") is None:
    pytest.skip("needs PostgreSQL's server (apt install postgresql) and psycopg", allow_module_level=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own: the URL of its cluster, without a database's name."""
    programs = PROGRAMS[-1]
    folder = Path("/tmp") / f"harness-postgres-{os.getpid()}"
    folder.mkdir()
    user = "nobody" if os.getuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("postgres") / "log"
    command = [programs / "initdb", "-D", folder / "data", "-U", "harness", "-A", "trust", "--no-sync"]
    subprocess.run(command, user=user, check=True, capture_output=True, cwd=folder)
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(folder), "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *settings], user=user, cwd=folder, stderr=output
        )
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        for _ in range(100):
            if subprocess.run(ready).returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql://harness@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


class TestPostgresql(StoreCases):
    @pytest.fixture
    def url(self, server: str, request: pytest.FixtureRequest) -> str:
        engine = sa.create_engine(
            f"{server}/postgres".replace("//", "//", 1).replace("postgresql:", "postgresql+psycopg:")
        )
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS results WITH (FORCE)")
            connection.exec_driver_sql("CREATE DATABASE results")
        engine.dispose()
        return f"{server}/results"
