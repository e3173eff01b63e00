"""`harness plot`: one figure of a metric against rate, PSNR or level, or of train level by test level, for a paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import database_option
from harness.cli.options.results import opened
from harness.discovery.plugins import installed
from harness.errors import HarnessError, UsageError, no_such_metric

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
    asked = _PlotOptions(task, metric, codec, dataset, model)
    try:
        figure, what = _matrix(asked, db) if kind == "matrix" else _curves(asked, training, against or "bpp", db)
    except ImportError as error:
        raise HarnessError("harness plot needs matplotlib: pip install matplotlib") from error
    try:
        figure.savefig(output, dpi=160)
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{output}: {what}")


@dataclass(frozen=True)
class _PlotOptions:
    """Which results to draw."""

    task: str
    metric: str | None
    codecs: tuple[str, ...]
    dataset: str | None
    model: str | None

    @property
    def words(self) -> str:
        return f"task {self.task}" + (f", metric {self.metric}" if self.metric else "")

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is of the model and dataset that were asked for."""
        from harness.results.cells import matching_names

        pairs = (("dataset", self.dataset), ("model", self.model))
        return all(not name or bool(matching_names(name, [row[column]])) for column, name in pairs)

    def check(self, rows: Sequence[Mapping[str, Any]], metrics: Iterable[str], db: str) -> None:
        """Raises:
        UsageError: a task, codec or metric that the results have none of.
        """
        for kind, names in (("task", (self.task,)), ("codec", self.codecs)):
            found = {str(row[kind]) for row in rows}
            for one in names:
                if one not in found:
                    installed().provided(kind, one)
                    raise UsageError(
                        f"{db} has no finished results of {kind} {one}"
                        + (f". It has: {', '.join(sorted(found))}." if found else " to draw.")
                    )
        known = list(dict.fromkeys(metrics))
        if self.metric and self.metric not in known:
            raise no_such_metric(self.metric, known)


def _curves(asked: _PlotOptions, training: Sequence[str], against: str, db: str) -> tuple[Figure, str]:
    from harness.results.figures.curves import curve_figure
    from harness.results.figures.lines import can_draw, is_baseline, trainings_drawn
    from harness.store import Filters

    with opened(db) as store:
        columns, rows = store.view("results", Filters({"task": [asked.task], "status": ["finished"]}))
    records: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    asked.check(records, (r["metric"] for r in records), db)
    records = [r for r in records if (r["metric"] == asked.metric if asked.metric else r["is_primary"])]
    records = [r for r in records if not asked.codecs or r["codec"] in asked.codecs or is_baseline(r)]
    records = trainings_drawn([r for r in records if asked.has(r)], training)
    if not any(can_draw(r, against) for r in records):
        trained = f", training {' or '.join(training)}" if training else ""
        raise UsageError(f"{db} has no finished results of {asked.words}{trained} to draw.")
    return curve_figure(records, against), f"{len(records)} results"


def _matrix(asked: _PlotOptions, db: str) -> tuple[Figure, str]:
    from harness.results.cells import read_cells
    from harness.results.figures.heat_map import heat_map
    from harness.results.tables.matrix import matrices
    from harness.store import Filters

    with opened(db) as store:
        cells = read_cells(store, Filters({"task": [asked.task], "status": ["finished"]}))
    asked.check([cell.facts for cell in cells], (name for cell in cells for name in cell.metrics), db)
    coded = [cell for cell in cells if not asked.codecs or cell.facts["codec"] in (*asked.codecs, "none")]
    found = matrices([cell for cell in coded if asked.has(cell.facts)], asked.metric)
    found = [one for one in found if any(one.measured(*place) for place in one.entries)]
    if not found:
        raise UsageError(
            f"{db} has nothing of {asked.words} that was retrained and tested at levels (harness run --retrain all)."
        )
    if len(found) > 1:
        listed = "; ".join(one.title for one in found)
        raise UsageError(f"{db} has several: {listed}. Choose with --codec, --model and --dataset.")
    return heat_map(found[0]), f"{len(found[0].entries)} results"
