"""`harness plot`: one figure, either curves of a metric against rate, PSNR or level, or a train-test level matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import database_option
from harness.cli.options.results import open_for_reading, warn_superseded
from harness.discovery.plugins import installed
from harness.errors import HarnessError, UsageError, no_such_metric
from harness.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]

FORMATS = (".png", ".svg", ".pdf")


@click.command(cls=Command)
@click.option("--task", "-t", required=True, help="The task.")
@click.option("--metric", help="The metric; default: the task's primary one.")
@click.option("--codec", "-c", multiple=True, help="Only these codecs; repeatable.")
@click.option("--dataset", "-d", help="Only this dataset.")
@click.option("--model", "-m", help="Only this model.")
@click.option(
    "--kind",
    type=click.Choice(["curves", "matrix"]),
    default="curves",
    show_default=True,
    help="Curves, or train level by test level as a heat map.",
)
@click.option(
    "--training",
    multiple=True,
    metavar="WHAT",
    help="Of curves: pretrained, matched, mixed, clean, a level, or codec@level; repeatable.  [default: all, but for "
    "more than two single levels]",
)
@click.option("--against", type=click.Choice(["bpp", "psnr", "level"]), help="The x axis, of curves.  [default: bpp]")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A .png, .svg or .pdf file.")
@database_option
def plot(
    task: str,
    metric: str | None,
    codec: tuple[str, ...],
    dataset: str | None,
    model: str | None,
    kind: str,
    training: tuple[str, ...],
    against: str | None,
    output: Path,
    db: str,
) -> None:
    """Draw a metric against rate, PSNR or level, with 95% intervals and the uncompressed baseline.

    \b
        harness plot --task detection -o curve.png
        harness plot --task segmentation --codec jpeg --kind matrix -o matrix.png
    """
    if output.suffix not in FORMATS:
        raise UsageError(f"--output {output}: the file's ending must be {', '.join(FORMATS)}.")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
    if kind == "matrix" and (against or training):
        raise UsageError(f"{'--against' if against else '--training'} is of curves; a matrix has every training.")
    query = _PlotQuery(task, metric, codec, dataset, model)
    try:
        figure, what = _matrix(query, db) if kind == "matrix" else _curves(query, training, against or "bpp", db)
    except ImportError as error:
        raise HarnessError("harness plot needs matplotlib: pip install matplotlib") from error
    try:
        with whole_file(output) as part:
            figure.savefig(part, dpi=160)
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{output}: {what}")


@dataclass(frozen=True)
class _PlotQuery:
    """The choice of results to draw."""

    task: str
    metric: str | None
    codecs: tuple[str, ...]
    dataset: str | None
    model: str | None

    @property
    def words(self) -> str:
        return f"task {self.task}" + (f", metric {self.metric}" if self.metric else "")

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has the requested model and dataset."""
        from harness.results.cells import matching_names

        pairs = (("dataset", self.dataset), ("model", self.model))
        return all(not name or bool(matching_names(name, [row[column]])) for column, name in pairs)

    def check(self, rows: Sequence[Mapping[str, Any]], metrics: Iterable[str], db: str) -> None:
        """Check that the results have the requested task, codecs and metric.

        Args:
            rows: the finished results.
            metrics: the names of the metrics of these results.
            db: the database, for messages.

        Raises:
            UsageError: the task, a codec or the metric has no result.
        """
        for kind, names in (("task", (self.task,)), ("codec", self.codecs)):
            available = {str(row[kind]) for row in rows}
            for name in names:
                if name not in available:
                    installed().provided(kind, name)
                    raise UsageError(
                        f"{db} has no finished results of {kind} {name}"
                        + (f". It has: {', '.join(sorted(available))}." if available else " to draw.")
                    )
        known = list(dict.fromkeys(metrics))
        if self.metric and self.metric not in known:
            raise no_such_metric(self.metric, known)


def _curves(query: _PlotQuery, training: Sequence[str], against: str, db: str) -> tuple[Figure, str]:
    from harness.results.figures.curves import curve_figure
    from harness.results.figures.lines import can_draw, is_baseline_row, trainings_drawn
    from harness.store import Filters

    with open_for_reading(db) as store:
        columns, rows = store.view("results", Filters({"task": [query.task], "status": ["finished"]}))
    records: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    query.check(records, (r["metric"] for r in records), db)
    records = [r for r in records if (r["metric"] == query.metric if query.metric else r["is_primary"])]
    records = [r for r in records if not query.codecs or r["codec"] in query.codecs or is_baseline_row(r)]
    records = trainings_drawn([r for r in records if query.has(r)], training)
    if not any(can_draw(r, against) for r in records):
        trained = f", training {' or '.join(training)}" if training else ""
        raise UsageError(f"{db} has no finished results of {query.words}{trained} to draw.")
    return curve_figure(records, against), f"{len(records)} results"


def _matrix(query: _PlotQuery, db: str) -> tuple[Figure, str]:
    from harness.results.cells import read_cells
    from harness.results.figures.heat_map import heat_map
    from harness.results.tables.matrix import matrices
    from harness.store import Filters

    with open_for_reading(db) as store:
        cells = read_cells(store, Filters({"task": [query.task], "status": ["finished"]}))
    warn_superseded(cells)
    query.check([cell.facts for cell in cells], (name for cell in cells for name in cell.metrics), db)
    selected = [cell for cell in cells if not query.codecs or cell.facts["codec"] in (*query.codecs, "none")]
    drawable = matrices([cell for cell in selected if query.has(cell.facts)], query.metric)
    drawable = [matrix for matrix in drawable if any(matrix.measured(*place) for place in matrix.entries)]
    if not drawable:
        raise UsageError(
            f"{db} has nothing of {query.words} that was retrained and tested at levels (harness run --retrain all)."
        )
    if len(drawable) > 1:
        listed = "; ".join(matrix.title for matrix in drawable)
        raise UsageError(f"{db} has several: {listed}. Choose with --codec, --model and --dataset.")
    return heat_map(drawable[0]), f"{len(drawable[0].entries)} results"
