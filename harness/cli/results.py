"""`harness results`: what the database has, as a table or for another program; and queries that can only read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from harness.cli.options import database_option
from harness.cli.show import show
from harness.cli.study import study
from harness.cli.tables import tables
from harness.errors import UsageError, closest
from harness.plugin_manager import installed
from harness.store import Filters
from harness.text_tables import FORMATS, Table

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["results"]

_FILTERS = ("task", "codec", "dataset", "model")

_format_option = click.option(
    "--format", "-f", "format_", type=click.Choice(FORMATS), default="table", show_default=True, help="How to write it."
)


@click.group(invoke_without_command=True)
@click.option("--task", "-t", multiple=True, help="Only this task; repeatable, as are the next three.")
@click.option("--codec", "-c", multiple=True, help="Only this codec.")
@click.option("--dataset", "-d", multiple=True, help="Only this dataset.")
@click.option("--model", "-m", multiple=True, help="Only this model.")
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
    from harness.tables import print_table, results_table

    wanted = {"task": task, "codec": codec, "dataset": dataset, "model": model}
    with _opened(db) as store:
        filters = _filters(store, wanted)
        if failed:
            _print_failed(store, filters, format_)
            return
        found = results_table(store, filters=filters, metrics=metric, all_metrics=all_metrics)
        if not found.cells:
            click.echo(f"no results in {db}.", err=True)
        else:
            print_table(found, format_)


@results.command()
@click.argument("query")
@click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help="How to write it; may stand before `sql`.")
@click.option("--db", help="Results database, if not the one given before `sql`.")
@click.pass_context
def sql(ctx: click.Context, query: str, format_: str | None, db: str | None) -> None:
    """Answer a query, which can only read: a SELECT on the views results, curves, recovery, per_sample.

    \b
    harness results sql "select codec, level, value, bpp from results where metric = 'AP50'"
    """
    from harness.tables import print_table

    with _opened(db or ctx.obj) as store:
        columns, rows = store.select(query)
    before = ctx.parent.params["format_"] if ctx.parent else "table"
    print_table(Table(tuple(columns), tuple(rows)), format_ or before)


results.add_command(show)
results.add_command(tables)
results.add_command(study)


@contextmanager
def _opened(db: str) -> Iterator[Store]:
    from harness.stores import open_store

    with closing(open_store(db, installed(), write=False)) as store:
        yield store


def _filters(store: Store, wanted: dict[str, Sequence[str]]) -> Filters:
    """The filters that were asked for; a name without options stands for it with any.

    Raises:
        UsageError: a name that nothing in the database has.
    """
    from harness.result_cells import meant

    if not any(wanted.values()):
        return Filters()
    columns, rows = store.view("results")
    allowed: dict[str, list[str]] = {}
    for column, names in wanted.items():
        place = columns.index(column)
        known = sorted({str(row[place]) for row in rows})
        for name in names:
            found = meant(name, known)
            allowed.setdefault(column, []).extend(found)
            if not found:
                near = closest(name, known)
                hint = f" Did you mean {near!r}?" if near else ""
                raise UsageError(
                    f"the database has no results of {column} {name!r}.{hint} It has: {', '.join(known) or 'none'}."
                )
    return Filters(allowed)


def _print_failed(store: Store, filters: Filters, format_: str) -> None:
    """The experiments that did not finish, and under each its samples that failed."""
    from harness.result_cells import read_cells
    from harness.tables import print_table

    found: list[tuple[object, ...]] = []
    for cell in read_cells(store, filters):
        facts = cell.facts
        place = (facts["experiment"][:12], *(facts[name] for name in (*_FILTERS, "level")))
        undone = facts["status"] in ("failed", "interrupted")
        if undone:
            found.append((*place, None, facts["status"], cell.reason))
        if undone or facts["failed_samples"]:
            mine = Filters({"experiment": [facts["experiment"]], "status": ["failed"]})
            columns, rows = store.view("per_sample", mine)
            sample, error = columns.index("sample"), columns.index("error")
            found += [(*place, row[sample], "failed", row[error]) for row in rows]
    if found:
        print_table(Table(("experiment", *_FILTERS, "level", "sample", "status", "reason"), tuple(found)), format_)
    else:
        click.echo("nothing failed.", err=True)
