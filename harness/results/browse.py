"""Serves a results database with Datasette, with descriptions of its views and columns."""

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
    "profile": "Where the time of each experiment went.",
    "superseded": "Records of before of experiments that were computed again.",
}
_SORTED = {
    **{"results": "task", "curves": "task", "recovery": "task", "seeds": "task"},
    **{"per_sample": "experiment", "profile": "task", "superseded": "task"},
}
_HIDDEN = (
    *("statistics", "samples", "metrics", "comparisons", "experiments", "checkpoints", "stages", "resamples"),
    *("places", "alembic_version"),
)
_QUERY_LIMIT_MS = 20_000


def serve(url: str, port: int, show_address: Callable[[str], None]) -> None:
    """Serve a database until the process is interrupted.

    Args:
        url: the URL or the path of a SQLite file.
        port: the port on 127.0.0.1; 0 selects a free port.
        show_address: a function that gets the server's address, after the port was opened.

    Raises:
        UsageError: the database is no SQLite file, or the port is in use.
        StoreError: the file is no results database.
    """
    app = application(url)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
        except OSError as error:
            reason = f"{_HOST} cannot be listened on ({error.strerror})"
            raise UsageError(f"--port {port}: {reason}. Choose another.") from error
        listening.listen()
        show_address(f"http://{_HOST}:{listening.getsockname()[1]}/")
        asyncio.run(_serve_requests(app, listening))


async def _serve_requests(app: Datasette, listening: socket.socket) -> None:
    await app.invoke_startup()
    config = uvicorn.Config(app.app(), log_level="warning", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listening])


def application(url: str) -> Datasette:
    """Create a Datasette application that shows the database.

    Datasette opens the database read-only, but not as immutable, because a run may write to it at the same time.

    Args:
        url: the URL or the path of a SQLite file.

    Raises:
        UsageError: the database is no SQLite file.
        StoreError: the file is no results database.
    """
    file = _file(url)
    with closing(open_store(str(file), installed(), write=False)):
        pass  # upgrades a database of an older version, and raises an error for a file that is no results database
    if not pm.is_registered(browse_plugin):
        pm.register(browse_plugin)
    settings = {"allow_download": False, "sql_time_limit_ms": _QUERY_LIMIT_MS, "suggest_facets": False}
    return Datasette([str(file)], metadata=metadata(file.stem), settings=settings)


def _file(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if scheme != "sqlite":
        raise UsageError(f"{scheme}:// cannot be browsed: Datasette reads SQLite files.")
    return Path(rest.removeprefix("/"))


def metadata(database: str) -> dict[str, Any]:
    """Return Datasette's metadata: titles, descriptions and units of views and columns, and the example queries.

    Args:
        database: the database's name in Datasette: the file's name without its suffix.
    """
    tables: dict[str, Any] = {name: {"hidden": True} for name in _HIDDEN}
    tables["runs"] = {"title": "runs", "description": "One row for each invocation.", "sort_desc": "started_at"}
    for view, columns in view_columns().items():
        # Datasette's own `units` are not used: they rescale the values that are shown, and do not support decibels.
        texts = {name: column.about + (f" ({column.unit})" if column.unit else "") for name, column in columns.items()}
        options = {"title": view, "description": _ABOUT[view], "columns": texts, "size": 100, "sort": _SORTED[view]}
        tables[view] = options
    examples = {name: {"title": query.title, "sql": query.sql} for name, query in queries().items()}
    return {
        "title": "codec-harness",
        "description": "How far can images and video be compressed before a vision model gets worse?",
        "databases": {database: {"tables": tables, "queries": examples}},
    }
