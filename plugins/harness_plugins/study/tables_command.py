"""`harness results tables`: your own results in the layout of the published study's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.once import Command
from harness.cli.options.results import merged_filters, open_for_reading, warn_superseded
from harness.results.tables.text import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_plugins.study.tables import Against

__all__ = ["tables"]


@click.command(cls=Command)
@click.option("--task", "-t", multiple=True, help="Only this task; repeatable.")
@click.option("--published", is_flag=True, help="Set the study's own figures beside.")
@click.option(
    "--drops",
    type=click.Choice(["top", "none"]),
    help="Drops in percent in place of the metrics: from the ladder's top, as the study's text has them, or from none.",
)
@click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help="How to write them.  [default: table]")
@click.option("--db", help="Results database, if not the one given before `tables`.")
@click.pass_context
def tables(
    ctx: click.Context,
    task: Sequence[str],
    published: bool,
    drops: Against | None,
    format_: str | None,
    db: str | None,
) -> None:
    """Tables I-V of the study from one's own results: (A) pretrained, (B) retrained at each level."""
    from harness.results.cells import read_cells
    from harness.results.tables.results import print_table
    from harness.store import Filters
    from harness_plugins.study.tables import study_tables

    task = merged_filters(ctx, {"task": task})["task"]
    outer_format = ctx.parent.params["format_"] if ctx.parent else "table"
    with open_for_reading(db or ctx.obj) as store:
        cells = read_cells(store, Filters({"task": list(task)} if task else {}))
        warn_superseded(cells)
    form = format_ or outer_format
    results = study_tables(cells, published, drops, long=form in ("csv", "json"))
    if not results:
        click.echo("no results of a codec with levels.", err=True)
    for number, table in enumerate(results):
        if number:
            click.echo()
        print_table(table, form)
