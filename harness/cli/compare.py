"""`harness compare`: two codecs, options, models or trainings on the same samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import database_option, resamples_option
from harness.cli.options.results import form_of, form_options, open_for_reading, warn, warn_superseded, warn_unfinished
from harness.errors import HarnessError, UsageError, did_you_mean
from harness.results.tables.text import clean

if TYPE_CHECKING:
    from harness.decide.paired import Side

__all__ = ["compare"]


@click.command(cls=Command)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--task", "-t", required=True, help="The task.")
@click.option("--metric", help="The metric; default: the task's primary one.")
@click.option("--model", "-m", multiple=True, help="Of both, or, given twice, of A and of B.")
@click.option("--weights", multiple=True, help="Their name; likewise.")
@click.option("--dataset", "-d", help="Only this dataset.")
@click.option(
    "--method", type=click.Choice(["akima", "pchip"]), default="akima", show_default=True, help="Of interpolation."
)
@resamples_option
@form_options
@database_option
def compare(
    first: str,
    second: str,
    task: str,
    metric: str | None,
    model: Sequence[str],
    weights: Sequence[str],
    dataset: str | None,
    method: Any,
    resamples: int,
    as_json: bool,
    format_: str | None,
    db: str,
) -> None:
    """Which of two is better: at equal quality, at equal level, and over all levels.

    A and B are CODEC[:key=value,...][/TRAINING]: a codec, its options where there are several, and behind a slash
    matched, mixed, clean or codec@level for a retrained model. Or a label as any command shows it: "jpeg, matched",
    "demo-detector on demo/test: h264 (intra)", "jpeg@50 detection demo-detector [1c7cd2b0]" (with all its levels).

    \b
        harness compare jpeg avif --task detection
        harness compare jpeg jpeg:subsampling=4:4:4 --task segmentation
        harness compare jpeg jpeg/matched --task pose
        harness compare jpeg jpeg --task detection --model demo-detector --model faster-rcnn
    """
    from harness.decide.compared import comparison_data, comparison_tables
    from harness.decide.rows import comparison_rows
    from harness.decide.sides import SideQuery, sides_of
    from harness.discovery.plugins import installed
    from harness.results.cells import read_cells
    from harness.results.ladders import cases_of
    from harness.results.resampled import Resampler
    from harness.results.tables.results import print_table
    from harness.store import Filters

    try:
        import bjontegaard  # noqa: F401 - fail before any work if it is not installed

        from harness.decide.comparison import compare as both
    except ImportError as error:
        raise HarnessError(f"harness compare needs {error.name}: pip install 'codec-harness[compare]'") from error
    form = form_of(as_json, format_)
    models, names = _per_side("--model", model), _per_side("--weights", weights)
    wanted = tuple(SideQuery(text, models[n], names[n], dataset) for n, text in enumerate((first, second)))
    with open_for_reading(db) as store:
        every = read_cells(store, Filters({"task": [task]}))
        warn_superseded(every)
        cells = [cell for cell in every if cell.facts["status"] == "finished"]
        if not cells:
            raise UsageError(f"{db} has no finished experiments of task {task!r}.")
        identities = store.identities([cell.facts["experiment"] for cell in cells])
        unfinished = [cell for cell in every if cell.facts["status"] != "finished"]
        sides = sides_of(cases_of(cells), (wanted[0], wanted[1]), identities, unfinished)
        warn_unfinished(every, {side.ladder.cells[0].facts["codec"] for side in sides})
        resampler = Resampler.of(store, cells, installed(), resamples, warn)
        found = both(*sides, _metric(sides, metric), resampler, method)
    if form == "json":
        click.echo(json.dumps(comparison_data(found), indent=2, allow_nan=False))
        return
    if form == "csv":
        print_table(comparison_rows(task, found), form)
        return
    head = f"{task}: {found.second.name} against {found.first.name}, by {found.metric}"
    first_table, *tables = comparison_tables(found)
    if form == "table":
        click.echo(f"{clean(head)}\n")
    else:
        first_table = replace(first_table, title=f"{head}. {first_table.title}")
    for number, table in enumerate([first_table, *tables]):
        if number:
            click.echo()
        print_table(table, form)


def _per_side(option: str, given: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the option's value for each of the two sides; a single value holds for both, and no value gives None.

    Raises:
        UsageError: the option was given more than twice.
    """
    if len(given) > 2:
        raise UsageError(f"{option} was given {len(given)} times: once for both sides, or once for each.")
    return (given[0] if given else None), (given[-1] if given else None)


def _metric(sides: tuple[Side, Side], requested: str | None) -> str:
    """Return the requested metric, or the primary metric for None.

    Raises:
        UsageError: an experiment of the two sides does not have the metric.
    """
    cells = [cell for side in sides for cell in side.ladder.cells]
    shared = [name for name in cells[0].metrics if all(name in cell.metrics for cell in cells)]
    if requested is None:
        if primary := next((name for name in shared if cells[0].metrics[name].is_primary), None):
            return primary
        known = ", ".join(shared) or "none"
        raise UsageError(
            f"not every experiment of the two has the primary metric. All have: {known}; name one by --metric."
        )
    if requested not in shared:
        hint = did_you_mean(requested, shared)
        raise UsageError(
            f"not every experiment of the two has the metric {requested!r}.{hint} All have: {', '.join(shared)}."
        )
    return requested
