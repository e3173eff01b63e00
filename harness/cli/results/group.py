"""`harness results`: prints results as a table, CSV or JSON; and `harness results sql`: read-only SQL queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.added import added_commands
from harness.cli.once import Command, Group, taking_plugins
from harness.cli.options.common import database_option
from harness.cli.options.results import (
    FILTERS,
    filter_options,
    filters_of,
    inner_options,
    open_for_reading,
    print_profile,
    warn_superseded,
)
from harness.cli.results.browse import browse
from harness.cli.results.export import export
from harness.cli.results.merge import merge
from harness.cli.results.predictions import predictions
from harness.cli.results.refresh import refresh
from harness.cli.results.retrained import matrix, recovery
from harness.cli.results.show import show
from harness.errors import UsageError
from harness.keep.texts import without_passwords
from harness.results.tables.text import FORMATS, Table
from harness.store import Filters

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["results"]

_format_option = click.option(
    "--format", "-f", "format_", type=click.Choice(FORMATS), default="table", show_default=True, help="How to write it."
)


class _Results(Group):
    """The commands of `harness results`, with those that plugins add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in added_commands("results") if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        added = None if own else added_commands("results").get(cmd_name)
        return own if added is None else taking_plugins(added)


@click.group(cls=_Results, invoke_without_command=True)
@filter_options
@click.option("--metric", multiple=True, help="Show this metric; default: the primary one and the task's second.")
@click.option("--all-metrics", is_flag=True, help="Show every metric, each in rows of its own.")
@click.option(
    "--failed", is_flag=True, help="What failed or was interrupted, and the samples that failed, with reasons."
)
@click.option("--profile", is_flag=True, help="Where the time went, stage by stage, and what would make it faster.")
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
    profile: bool,
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

    if failed and profile:
        raise UsageError("--failed and --profile exclude each other.")
    wanted = {"task": task, "codec": codec, "dataset": dataset, "model": model}
    with open_for_reading(db) as store:
        filters = filters_of(store, wanted)
        if failed:
            _print_failed(store, filters, format_)
            return
        if profile:
            print_profile(store, format_, filters)
            return
        table = results_table(store, filters=filters, metrics=metric, all_metrics=all_metrics)
        warn_superseded(table.cells)
        if not table.cells:
            click.echo(f"no results in {without_passwords(db)}.", err=True)
        else:
            print_table(table, format_)


@results.command(cls=Command)
@click.argument("query")
@inner_options
@click.pass_context
def sql(ctx: click.Context, query: str, format_: str | None, db: str | None) -> None:
    """Answer a query, which can only read: a SELECT on the views results, curves, recovery, seeds,
    per_sample, profile.

    \b
        harness results sql "select codec, level, value, bpp from results where metric = 'AP50'"
    """
    from harness.results.tables.results import print_table

    with open_for_reading(db or ctx.obj) as store:
        columns, rows = store.select(query)
    outer_format = ctx.parent.params["format_"] if ctx.parent else "table"
    print_table(Table(tuple(columns), tuple(rows)), format_ or outer_format)


results.add_command(browse)
results.add_command(export)
results.add_command(matrix)
results.add_command(merge)
results.add_command(predictions)
results.add_command(recovery)
results.add_command(refresh)
results.add_command(show)


def _print_failed(store: Store, filters: Filters, format_: str) -> None:
    """Print the experiments that failed or were interrupted, and all failed samples, with the reasons."""
    from harness.results.cells import read_cells
    from harness.results.tables.results import print_table

    failures: list[tuple[object, ...]] = []
    for cell in read_cells(store, filters):
        facts = cell.facts
        place = (facts["experiment"][:12], *(facts[name] for name in (*FILTERS, "level")))
        unfinished = facts["status"] in ("failed", "interrupted", "partial")
        if unfinished:
            failures.append((*place, None, facts["status"], cell.reason))
        if unfinished or facts["failed_samples"]:
            failed_samples = Filters({"experiment": [facts["experiment"]], "status": ["failed"]})
            columns, rows = store.view("per_sample", failed_samples)
            sample, error = columns.index("sample"), columns.index("error")
            failures += [(*place, row[sample], "failed", row[error]) for row in rows]
    if failures:
        print_table(Table(("experiment", *FILTERS, "level", "sample", "status", "reason"), tuple(failures)), format_)
    else:
        click.echo("nothing failed.", err=True)
