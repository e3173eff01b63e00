"""`harness results export`: writes the views of a database to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.results import filter_options, filters_of, merged_filters, open_for_reading
from harness.errors import UsageError
from harness.results.export import FORMATS, export_view

if TYPE_CHECKING:
    from harness.store import Store

__all__ = ["export"]

_VIEWS = ("results", "curves", "recovery", "seeds", "per_sample", "profile", "superseded")


@click.command(cls=Command)
@filter_options
@click.option("--format", "-f", "format_", type=click.Choice(FORMATS), required=True, help="Of the files.")
@click.option("--view", multiple=True, type=click.Choice(_VIEWS), help="Only this view; repeatable.  [default: all]")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder; of one view, also a file.",
)
@click.option("--db", help="Results database, if not the one given before `export`.")
@click.pass_context
def export(
    ctx: click.Context,
    /,
    format_: Any,
    view: Sequence[str],
    output: Path,
    db: str | None,
    **wanted: Sequence[str],
) -> None:
    """Write views of the database as Parquet, CSV or JSON, a file each.

    \b
        harness results export --format parquet -o tables/
        harness results export --format csv --view curves --task detection -o curves.csv

    Types, units and descriptions of the columns are in Parquet's metadata, and in the documentation of the database.
    """
    targets = _targets(output, tuple(dict.fromkeys(view)) or _VIEWS, format_)
    filters = {name: list(names) for name, names in merged_filters(ctx, wanted).items()}
    with open_for_reading(db or ctx.obj) as store:
        keys = _experiments(store, filters) if any(filters.values()) else None
        for name, target in targets.items():
            count = export_view(store, name, keys, target, format_)
            click.echo(f"{target}: {count} rows")


def _targets(output: Path, views: Sequence[str], form: str) -> dict[str, Path]:
    """Return the file to write for each view.

    Raises:
        UsageError: `output` is one file for several views, has the ending of another format, or lies in no existing
            folder.
    """
    if output.suffix and not output.is_dir():
        if output.suffix[1:].lower() in FORMATS and output.suffix[1:].lower() != form:
            raise UsageError(f"--output {output}: its ending is not that of --format {form}.")
        if len(views) > 1:
            raise UsageError(f"--output {output}: one file for {len(views)} views. Name a folder, or one --view.")
        if not output.absolute().parent.is_dir():
            raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
        return {views[0]: output}
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: a file is in the way; name a folder.")
    return {view: output / f"{view}.{form}" for view in views}


def _experiments(store: Store, filters: dict[str, list[str]]) -> list[str]:
    """Return the keys of the experiments that pass the filters."""
    return [key for (key,) in store.read("results", ("experiment",), filters_of(store, filters), distinct=True)]
