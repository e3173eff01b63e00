"""`harness recommend`: the cheapest level at which a model loses no more than is allowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli.once import Command
from harness.cli.options.common import FiniteRange, database_option, fps_option, resamples_option
from harness.cli.options.results import (
    FILTERS,
    filter_options,
    filters_of,
    form_of,
    form_options,
    open_for_reading,
    warn,
    warn_superseded,
    warn_unfinished,
)
from harness.errors import UsageError, no_such_metric

if TYPE_CHECKING:
    from harness.results.ladders import Case

__all__ = ["recommend"]


@click.command(cls=Command)
@filter_options
@click.option(
    "--max-drop", required=True, metavar="DROP", help="0.02 (of the metric), or 2% (of its uncompressed value)."
)
@click.option("--metric", help="The metric; default: the task's primary one.")
@click.option(
    "--confidence",
    type=FiniteRange(50, 100, min_open=True, max_open=True),
    default=95,
    show_default=True,
    help="Of the one-sided bounds, in percent.",
)
@fps_option
@click.option("--resolution", metavar="WxH", help="Its frames' size in pixels; default: that of the frames tested.")
@resamples_option
@form_options
@database_option
def recommend(
    task: Sequence[str],
    codec: Sequence[str],
    dataset: Sequence[str],
    model: Sequence[str],
    max_drop: str,
    metric: str | None,
    confidence: float,
    fps: float | None,
    resolution: str | None,
    resamples: int,
    as_json: bool,
    format_: str | None,
    db: str,
) -> int:
    """The cheapest level of each codec at which the model loses no more than is allowed.

    \b
        harness recommend --task detection --max-drop 2%
        harness recommend --task detection --max-drop 0.01 --metric AP50 --fps 25 --resolution 1920x1080

    Each codec is walked from its mildest level to its strongest, up to the first at which a one-sided bound on the
    paired drop is beyond the limit. Exit status: 0 when a level was found, 1 when none was.
    """
    from harness.decide.cost import Camera
    from harness.decide.judges import by_resampling
    from harness.decide.limit import Limit
    from harness.decide.recommended import recommendation_data, recommendation_table
    from harness.decide.rows import recommendation_rows
    from harness.decide.walk import recommend as walk
    from harness.discovery.plugins import installed
    from harness.results.cells import read_cells
    from harness.results.ladders import cases_of
    from harness.results.resampled import Resampler
    from harness.results.tables.results import print_table

    form = form_of(as_json, format_)
    limit, camera = Limit.parse(max_drop), Camera.parse(fps, resolution)
    wanted = dict(zip(FILTERS, (task, codec, dataset, model), strict=True))
    if codec:
        wanted["codec"] = [*codec, "none"]
    with open_for_reading(db) as store:
        every = read_cells(store, filters_of(store, wanted))
        warn_superseded(every)
        cases = cases_of(every)
        warn_unfinished(every)
        _check_cases(cases, metric, db)
        cells = [cell for case in cases for cell in case.cells]
        judge = by_resampling(Resampler.of(store, cells, installed(), resamples, warn))
        found = [(case, walk(case, judge, limit, metric, confidence / 100, camera)) for case in cases]
    found = [(case, recommendations) for case, recommendations in found if recommendations]
    if form == "json":
        click.echo(
            json.dumps(
                [recommendation_data(case, recommendations) for case, recommendations in found],
                indent=2,
                allow_nan=False,
            )
        )
    elif form == "csv":
        print_table(recommendation_rows(found), form)
    else:
        for number, (case, recommendations) in enumerate(found):
            if number:
                click.echo()
            print_table(recommendation_table(case, recommendations), form)
    return 0 if any(level.chosen for _, recommendations in found for level in recommendations) else 1


def _check_cases(cases: Sequence[Case], metric: str | None, db: str) -> None:
    """Check that there are experiments with codecs, and that the metric exists.

    Raises:
        UsageError: there is no finished experiment with a codec, or no experiment has the metric.
    """
    if not cases:
        raise UsageError(f"of what was asked for, {db} has no finished experiment with a codec.")
    known = list(dict.fromkeys(name for case in cases for cell in case.cells for name in cell.metrics))
    if metric and metric not in known:
        raise no_such_metric(metric, known)
