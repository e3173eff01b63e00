"""`harness results refresh`: computes intervals of an older method again, and what a database lacks."""

from __future__ import annotations

from contextlib import closing

import click

from harness.cli.once import Command
from harness.cli.options.common import resamples_option
from harness.cli.options.results import warn

__all__ = ["refresh"]


@click.command(cls=Command)
@resamples_option
@click.option("--db", help="Results database, if not the one given before `refresh`.")
@click.pass_context
def refresh(ctx: click.Context, resamples: int, db: str | None) -> None:
    """Compute intervals of an older version again, and what the database lacks, from the stored statistics.

    \b
        harness results refresh
        harness results refresh --db old.db

    Values do not change, only intervals, drops and recoveries; no model runs. Then come the resampled metrics that make
    recommend, compare, report and results study fast. What is kept of those is checked, and computed again where it is
    damaged, of an earlier version, or of another number of resamples.
    """
    from harness.discovery.plugins import installed
    from harness.discovery.stores import open_store
    from harness.finish.refresh import keep_resamples
    from harness.finish.refresh import refresh as compute_missing
    from harness.progress import OnlyWarnings

    name, plugins, progress = db or ctx.obj, installed(), OnlyWarnings(warn)
    with closing(open_store(name, plugins, write=False)):  # a database that is not there is not created
        pass
    with closing(open_store(name, plugins)) as store:
        renewed = compute_missing(store, plugins, progress, resamples, renew=True)
        found = keep_resamples(store, plugins, progress, resamples)
    click.echo(
        f"{name}: {renewed} experiments have new intervals; resampled metrics of {found.made} were computed, of "
        f"{found.right} were right"
    )
