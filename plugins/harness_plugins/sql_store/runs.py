"""The rows of the table `runs`: one row per invocation of the program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from harness.keep.processes import is_gone, this_process
from harness.keep.texts import MESSAGE, storable, storable_message
from harness.records import RecordedRun, RunInfo
from harness_plugins.sql_store.digests import seal_rows, with_digest
from harness_plugins.sql_store.schema import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Status

__all__ = ["add_warnings", "begin", "end", "now_text", "read"]


def begin(connection: sa.Connection, info: RunInfo) -> int:
    """Insert a run and return its id. Runs whose process is dead are set to `interrupted`."""
    for run, process in connection.execute(sa.select(runs.c.id, runs.c.process).where(runs.c.status == "running")):
        if is_gone(process):
            end(connection, run, "interrupted")
    row = {
        "command": storable_message(info.command, 10 * MESSAGE),
        "status": "running",
        "started_at": now_text(),
        "host": storable(info.host),
        "process": this_process(),
        "device": storable(info.device),
        "git": None if info.git is None else storable(info.git),
        "versions": json.dumps(dict(info.versions), sort_keys=True),
        "settings": json.dumps(dict(info.settings), sort_keys=True, default=str),
    }
    key = connection.execute(sa.insert(runs).values(with_digest(runs, row))).inserted_primary_key
    assert key is not None
    return int(key[0])


def end(connection: sa.Connection, run: int, status: Status) -> None:
    """Store the final status of a run and the time."""
    connection.execute(sa.update(runs).where(runs.c.id == run).values(status=status, finished_at=now_text()))
    seal_rows(connection, runs, runs.c.id == run)


def add_warnings(connection: sa.Connection, run: int, warnings: Sequence[str]) -> None:
    """Add warnings to the settings of a run."""
    settings = json.loads(connection.execute(sa.select(runs.c.settings).where(runs.c.id == run)).scalar_one())
    settings["warnings"] = [*settings.get("warnings", ()), *map(storable_message, warnings)]
    text = json.dumps(settings, sort_keys=True, default=str)
    connection.execute(sa.update(runs).where(runs.c.id == run).values(settings=text))
    seal_rows(connection, runs, runs.c.id == run)


def read(connection: sa.Connection) -> list[RecordedRun]:
    """Return all runs, the oldest first."""
    recorded = []
    for row in connection.execute(sa.select(runs).order_by(runs.c.id)):
        versions, settings = json.loads(row.versions), json.loads(row.settings)
        info = RunInfo(row.command, row.host, row.device, versions, row.git, settings)
        recorded.append(RecordedRun(row.id, row.status, row.started_at, row.finished_at, info))
    return recorded


def now_text() -> str:
    """Return the current time in UTC as ISO 8601 text, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
