"""A PostgreSQL server of our own, from Debian's packages, that a test may stop and start."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

__all__ = ["Server", "skip_without_server"]

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def skip_without_server() -> None:
    """Skip the test or the module where the server or its driver is missing."""
    if not _PROGRAMS or find_spec("psycopg") is None:
        reason = "needs PostgreSQL's server (apt install postgresql) and psycopg"
        pytest.skip(reason, allow_module_level=True)


class Server:
    """A server with its data in a folder of its own.

    Args:
        log: where the server writes what it says.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._folder = Path("/tmp") / f"harness-postgres-{os.getpid()}"
        self._folder.mkdir()
        self._user = "nobody" if os.getuid() == 0 else None  # the server refuses to run as root
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        command = [_PROGRAMS[-1] / "initdb", "-D", self._folder / "data", "-U", "harness", "-A", "trust", "--no-sync"]
        subprocess.run(command, user=self._user, check=True, capture_output=True, cwd=self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def url(self, database: str, password: str = "") -> str:
        """The URL of a database, with which the harness opens it. The server takes any password."""
        user = f"harness:{password}" if password else "harness"
        return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"

    def fresh(self, database: str) -> str:
        """The URL of an empty database."""
        engine = sa.create_engine(self.url("postgres").replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {database}")
        engine.dispose()
        return self.url(database)

    def ask(self, database: str, sql: str) -> str:
        """What PostgreSQL's own client gives for a query."""
        words = ["psql", "-At", "-h", "127.0.0.1", "-p", str(self._port), "-U", "harness", "-c", sql, database]
        done = subprocess.run([_PROGRAMS[-1] / words[0], *words[1:]], capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(self._folder)]
        command = [_PROGRAMS[-1] / "postgres", "-D", self._folder / "data", *settings, "-p", str(self._port)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(command, user=self._user, cwd=self._folder, stderr=output)
        ready = [_PROGRAMS[-1] / "pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-q"]
        for _ in range(100):
            if subprocess.run(ready).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self._log.read_text()}")

    def stop(self) -> None:
        """End the server as a power cut would: connections end in the middle of a transaction."""
        assert self._process is not None
        self._process.send_signal(3)  # SIGQUIT: immediate shutdown
        self._process.wait(30)
        self._process = None

    def remove(self) -> None:
        """End the server and delete its data."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self._folder)
