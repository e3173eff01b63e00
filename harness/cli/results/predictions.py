"""`harness results predictions`: the predictions that runs kept, in the formats of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.once import Command
from harness.cli.options.results import filter_options, filters_of, merged_filters, open_for_reading
from harness.discovery.plugins import installed
from harness.errors import HarnessError, UsageError
from harness.store import Filters

__all__ = ["predictions"]


@click.command(cls=Command)
@filter_options
@click.option("--experiment", multiple=True, help="Only this one: its key, or the beginning of it; repeatable.")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="A file, for one experiment; otherwise a folder.",
)
@click.option("--db", help="Results database, if not the one given before `predictions`.")
@click.pass_context
def predictions(
    ctx: click.Context, /, experiment: Sequence[str], output: Path, db: str | None, **wanted: Sequence[str]
) -> None:
    """Write what models predicted, of experiments that were run with --keep predictions.

    \b
        harness run --codec jpeg@50 --task detection --keep predictions
        harness results predictions --codec jpeg -o jpeg50.json

    Boxes and key points become COCO results (JSON), label maps PNG files in a folder, depth maps an .npz file, and
    classes CSV. Of several experiments each gets a name of its own in the folder.
    """
    from harness.show.predicted import recorded_task, write_predictions

    with open_for_reading(db or ctx.obj) as store:
        filters = filters_of(store, {name: list(names) for name, names in merged_filters(ctx, wanted).items()})
        rows = store.read("results", ("experiment", "codec", "level"), _finished(filters), distinct=True)
        found = [row for row in rows if not experiment or any(row[0].startswith(key) for key in experiment)]
        if not found:
            raise HarnessError("no finished experiment is asked for; `harness results` has them.")
        tasks = {key: recorded_task(store, key, installed()) for key, _, _ in found}
        several = len(found) > 1
        if several and output.suffix and not output.is_dir():
            raise UsageError(
                f"--output {output}: one file for {len(found)} experiments. Name a folder, or filter them."
            )
        for key, codec, level in found:
            form = tasks[key].predictions_as.strip("/")  # "" for a folder
            name = f"{codec}{'' if level is None else f'-{level:g}'}-{key[:12]}{form}"
            target = output / name if several or (form and (output.is_dir() or not output.suffix)) else output
            if not several and form and target == output and output.suffix.lower() != form:
                raise UsageError(f"--output {output}: task {tasks[key].name} writes {form} files.")
            target.parent.mkdir(parents=True, exist_ok=True)
            count = write_predictions(store, key, tasks[key], target)
            click.echo(f"{target}: {count} predictions")


def _finished(filters: Filters) -> Filters:
    return Filters({**filters.columns, "status": ["finished"]})
