"""`harness results`: what the database has, as a table or for another program; and queries that can only read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.once import Command, Group
from harness.cli.options.common import database_option
from harness.cli.options.results import FILTERS, filter_options, filters_of, inner_options, opened
from harness.cli.results.browse import browse
from harness.cli.results.export import export
from harness.cli.results.merge import merge
from harness.cli.results.retrained import matrix, recovery
from harness.cli.results.show import show
from harness.cli.results.study import study
from harness.cli.results.tables import tables
from harness.results.tables.text import FORMATS, Table
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["results"]

_format_option = click.option(
    "--format", "-f", "format_", type=click.Choice(FORMATS), default="table", show_default=True, help="How to write it."
)


@click.group(cls=Group, invoke_without_command=True)
@filter_options
@click.option("--metric", multiple=True, help="Show this metric; default: the primary one and the task's second.")
@click.option("--all-metrics", is_flag=True, help="Show every metric, each in rows of its own.")
@click.option(
    "--failed", is_flag=True, help="What failed or was interrupted, and the samples that failed, with reasons."
)
@_format_option
@database_option
@click.pass_context
def results(
    ctx: click.Context,
    task: Sequence[str],
    codec: Sequence[str],
    dataset: Sequence[str],
    model: Sequence[str],
    metric: Sequence[str],
    all_metrics: bool,
    failed: bool,
    format_: str,
    db: str,
) -> None:
    """Show results, or query the database.

    \b
    harness results --task detection --metric AP50
    harness results --format csv > results.csv
    harness results sql "select codec, level, value from results where metric = 'AP50'"
    """
    ctx.obj = db
    if ctx.invoked_subcommand is not None:
        return
    from harness.results.tables.results import print_table, results_table

    wanted = {"task": task, "codec": codec, "dataset": dataset, "model": model}
    with opened(db) as store:
        filters = filters_of(store, wanted)
        if failed:
            _print_failed(store, filters, format_)
            return
        found = results_table(store, filters=filters, metrics=metric, all_metrics=all_metrics)
        if not found.cells:
            click.echo(f"no results in {db}.", err=True)
        else:
            print_table(found, format_)


@results.command(cls=Command)
@click.argument("query")
@inner_options
@click.pass_context
def sql(ctx: click.Context, query: str, format_: str | None, db: str | None) -> None:
    """Answer a query, which can only read: a SELECT on the views results, curves, recovery, seeds,
    per_sample.

    \b
    harness results sql "select codec, level, value, bpp from results where metric = 'AP50'"
    """
    from harness.results.tables.results import print_table

    with opened(db or ctx.obj) as store:
        columns, rows = store.select(query)
    before = ctx.parent.params["format_"] if ctx.parent else "table"
    print_table(Table(tuple(columns), tuple(rows)), format_ or before)


results.add_command(browse)
results.add_command(export)
results.add_command(matrix)
results.add_command(merge)
results.add_command(recovery)
results.add_command(show)
results.add_command(tables)
results.add_command(study)


def _print_failed(store: Store, filters: Filters, format_: str) -> None:
    """The experiments that did not finish, and under each its samples that failed."""
    from harness.results.cells import read_cells
    from harness.results.tables.results import print_table

    found: list[tuple[object, ...]] = []
    for cell in read_cells(store, filters):
        facts = cell.facts
        place = (facts["experiment"][:12], *(facts[name] for name in (*FILTERS, "level")))
        undone = facts["status"] in ("failed", "interrupted")
        if undone:
            found.append((*place, None, facts["status"], cell.reason))
        if undone or facts["failed_samples"]:
            mine = Filters({"experiment": [facts["experiment"]], "status": ["failed"]})
            columns, rows = store.view("per_sample", mine)
            sample, error = columns.index("sample"), columns.index("error")
            found += [(*place, row[sample], "failed", row[error]) for row in rows]
    if found:
        print_table(Table(("experiment", *FILTERS, "level", "sample", "status", "reason"), tuple(found)), format_)
    else:
        click.echo("nothing failed.", err=True)
