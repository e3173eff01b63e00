"""`harness results browse`: shows the database in a web browser (Datasette), on this machine only and read-only."""

from __future__ import annotations

import click

from harness.cli.once import Command
from harness.errors import HarnessError

__all__ = ["browse"]


@click.command(cls=Command)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="On 127.0.0.1; 0: a free one."
)
@click.option("--db", help="Results database, if not the one given before `browse`.")
@click.pass_obj
def browse(default: str, /, port: int, db: str | None) -> None:
    """Look at the database in a web browser (Datasette). Ctrl-C ends it.

    The server listens on 127.0.0.1 only, and opens the file read-only: a run may write to it meanwhile. Views and
    columns come with descriptions and units, and with the queries of the documentation.
    """
    try:
        from harness.results.browse import serve
    except ImportError as error:
        raise HarnessError(f"harness results browse needs {error.name}: pip install 'codec-harness[browse]'") from error
    serve(db or default, port, lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))
