"""Serves a results database by Datasette, with what is known of its views and columns."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import uvicorn
from datasette.app import Datasette
from datasette.plugins import pm

from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.errors import UsageError
from harness.results import browse_plugin
from harness.results.view_columns import queries, view_columns

__all__ = ["application", "metadata", "serve"]

_HOST = "127.0.0.1"
_ABOUT = {
    "results": "One row for each experiment and metric.",
    "curves": "Every metric beside its baseline, with the paired drop.",
    "recovery": "What retraining won back.",
    "seeds": "Trainings from several seeds.",
    "per_sample": "One row for each experiment and sample.",
}
_SORTED = {"results": "task", "curves": "task", "recovery": "task", "seeds": "task", "per_sample": "experiment"}
_HIDDEN = ("statistics", "samples", "metrics", "comparisons", "experiments", "checkpoints", "alembic_version")
_LONGEST_MS = 20_000


def serve(url: str, port: int, told: Callable[[str], None]) -> None:
    """Serve until the process is interrupted.

    Args:
        url: of a SQLite file, or its path.
        port: on 127.0.0.1; 0 takes a free one.
        told: takes the address, once the port is known to be free.

    Raises:
        UsageError: no SQLite file, or a port that is taken.
        StoreError: no results database.
    """
    app = application(url)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
        except OSError as error:
            told_why = f"{_HOST} cannot be listened on ({error.strerror})"
            raise UsageError(f"--port {port}: {told_why}. Choose another.") from error
        listening.listen()
        told(f"http://{_HOST}:{listening.getsockname()[1]}/")
        asyncio.run(_run(app, listening))


async def _run(app: Datasette, listening: socket.socket) -> None:
    await app.invoke_startup()
    config = uvicorn.Config(app.app(), log_level="warning", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listening])


def application(url: str) -> Datasette:
    """Datasette with the database, which it opens read-only, but not as one that never changes: a run may write to it.

    Raises:
        UsageError: no SQLite file.
        StoreError: no results database.
    """
    file = _file(url)
    with closing(open_store(str(file), installed(), write=False)):
        pass  # a file of an older version is upgraded; one that holds no results is told
    if not pm.is_registered(browse_plugin):
        pm.register(browse_plugin)
    settings = {"allow_download": False, "sql_time_limit_ms": _LONGEST_MS, "suggest_facets": False}
    return Datasette([str(file)], metadata=metadata(file.stem), settings=settings)


def _file(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if scheme != "sqlite":
        raise UsageError(f"{scheme}:// cannot be browsed: Datasette reads SQLite files.")
    return Path(rest.removeprefix("/"))


def metadata(database: str) -> dict[str, Any]:
    """Titles, descriptions, units and queries.

    Args:
        database: what Datasette calls it: the file's name without its ending.
    """
    tables: dict[str, Any] = {name: {"hidden": True} for name in _HIDDEN}
    tables["runs"] = {"title": "runs", "description": "One row for each invocation.", "sort_desc": "started_at"}
    for view, columns in view_columns().items():
        told = {name: one.about + (f" ({one.unit})" if one.unit else "") for name, one in columns.items()}
        # Not as Datasette's own `units`: these rescale what is shown, and cannot take decibels.
        tables[view] = {"title": view, "description": _ABOUT[view], "columns": told, "size": 100, "sort": _SORTED[view]}
    asked = {name: {"title": query.title, "sql": query.sql} for name, query in queries().items()}
    return {
        "title": "codec-harness",
        "description": "How far can images and video be compressed before a vision model gets worse?",
        "databases": {database: {"tables": tables, "queries": asked}},
    }
