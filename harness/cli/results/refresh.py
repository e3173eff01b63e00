"""`harness results refresh`: computes metrics again whose intervals an older version computed in another way."""

from __future__ import annotations

from contextlib import closing

import click

from harness.cli.once import Command
from harness.cli.options.common import resamples_option

__all__ = ["refresh"]


@click.command(cls=Command)
@resamples_option
@click.option("--db", help="Results database, if not the one given before `refresh`.")
@click.pass_obj
def refresh(default: str, /, resamples: int, db: str | None) -> None:
    """Compute the intervals of an older version's results again, from the stored statistics.

    \b
    harness results refresh --db old.db

    Values do not change, only intervals, drops and recoveries. No model runs. Missing drops are added.
    """
    from harness.discovery.plugins import installed
    from harness.discovery.stores import open_store
    from harness.finish.refresh import refresh as compute
    from harness.progress import OnlyWarnings

    plugins = installed()
    with closing(open_store(db or default, plugins)) as store:
        count = compute(store, plugins, OnlyWarnings(lambda text: click.echo(text, err=True)), resamples, renew=True)
    click.echo(f"{db or default}: {count} experiments have new intervals")
