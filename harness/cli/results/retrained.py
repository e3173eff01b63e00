"""`harness results recovery` and `harness results matrix`: tables of what retraining recovers of a loss."""

from __future__ import annotations

from collections.abc import Sequence

import click

from harness.cli.once import Command
from harness.cli.options.results import (
    filter_options,
    filters_of,
    inner_options,
    merged_filters,
    open_for_reading,
    warn_superseded,
)
from harness.errors import no_such_metric

__all__ = ["matrix", "recovery"]


@click.command(cls=Command)
@filter_options
@click.option("--metric", multiple=True, help="This metric; repeatable.  [default: each task's primary one]")
@inner_options
@click.pass_context
def recovery(
    ctx: click.Context, /, metric: Sequence[str], format_: str | None, db: str | None, **wanted: Sequence[str]
) -> None:
    """What retraining won back at each level, with paired 95% intervals.

    \b
        harness results recovery --task segmentation
        harness results recovery --format csv > recovery.csv

    CSV and JSON have the rows of the view `recovery`, one for each seed.
    """
    from harness.results.tables.recovery import read_recovery, recovery_long, recovery_tables
    from harness.results.tables.results import print_table

    format_ = format_ or (ctx.parent.params["format_"] if ctx.parent else "table")
    with open_for_reading(db or ctx.obj) as store:
        rows = read_recovery(store, filters_of(store, merged_filters(ctx, wanted)), metric)
    if not rows:
        click.echo("nothing was retrained: harness run ... --retrain matched --retrain clean", err=True)
        return
    tables = [recovery_long(rows)] if format_ in ("csv", "json") else recovery_tables(rows)
    for number, table in enumerate(tables):
        if number:
            click.echo()
        print_table(table, format_)


@click.command(cls=Command)
@filter_options
@click.option("--metric", help="The metric.  [default: each task's primary one]")
@inner_options
@click.pass_context
def matrix(
    ctx: click.Context, /, metric: str | None, format_: str | None, db: str | None, **wanted: Sequence[str]
) -> None:
    """Train level by test level: every training, tested on uncompressed data and at every level.

    \b
        harness results matrix --task segmentation --codec jpeg

    Of trainings from several seeds it has the means; of several recipes, those that finished last. `harness plot --kind
    matrix` draws it.
    """
    from harness.results.cells import read_cells
    from harness.results.tables.matrix import matrices, matrix_long, matrix_table
    from harness.results.tables.results import print_table

    format_ = format_ or (ctx.parent.params["format_"] if ctx.parent else "table")
    filters = {name: list(names) for name, names in merged_filters(ctx, wanted).items()}
    if filters["codec"]:
        filters["codec"].append("none")
    with open_for_reading(db or ctx.obj) as store:
        cells = read_cells(store, filters_of(store, filters))
        warn_superseded(cells)
    found = matrices(cells, metric)
    known = sorted({name for cell in cells for name in cell.metrics})
    if metric and metric not in known:
        raise no_such_metric(metric, known)
    if not found:
        click.echo("nothing was retrained and tested at levels: harness run ... --retrain all", err=True)
        return
    tables = [matrix_long(found)] if format_ in ("csv", "json") else [matrix_table(matrix) for matrix in found]
    for number, table in enumerate(tables):
        if number:
            click.echo()
        print_table(table, format_)
