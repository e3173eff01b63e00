"""`harness plot`: one figure of a metric against rate or level, for a paper or a README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.options import database_option
from harness.errors import HarnessError, UsageError
from harness.plugin_manager import installed

__all__ = ["plot"]

FORMATS = (".png", ".svg", ".pdf")


@click.command()
@click.option("--task", "-t", required=True, help="The task.")
@click.option("--metric", help="The metric; default: the task's primary one.")
@click.option("--codec", "-c", multiple=True, help="Only these codecs; repeatable.")
@click.option("--dataset", "-d", help="Only this dataset.")
@click.option("--model", "-m", help="Only this model.")
@click.option("--against", type=click.Choice(["bpp", "level"]), default="bpp", show_default=True, help="The x axis.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A .png, .svg or .pdf file.")
@database_option
def plot(
    task: str,
    metric: str | None,
    codec: tuple[str, ...],
    dataset: str | None,
    model: str | None,
    against: str,
    output: Path,
    db: str,
) -> None:
    """Draw a metric against rate or level, with 95% intervals and the uncompressed baseline."""
    from harness.figures import can_draw, curve_figure, is_baseline
    from harness.result_cells import meant
    from harness.store import Filters
    from harness.stores import open_store

    if output.suffix not in FORMATS:
        raise UsageError(f"--output {output}: the file's ending must be {', '.join(FORMATS)}.")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
    wanted: dict[str, Sequence[object]] = {"task": [task], "status": ["finished"]}
    wanted |= {"metric": [metric]} if metric else {"is_primary": [True]}
    store = open_store(db, installed(), write=False)
    try:
        columns, rows = store.view("results", Filters(wanted))
    finally:
        store.close()
    records: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    for kind, asked in (("task", [task]), ("codec", codec)):
        found = {str(r[kind]) for r in records}
        for one in asked:
            if one not in found:
                installed().provided(kind, one)
                raise UsageError(
                    f"{db} has no finished results of {kind} {one}"
                    + (f". It has: {', '.join(sorted(found))}." if found else " to draw.")
                )
    records = [r for r in records if not codec or r["codec"] in codec or is_baseline(r)]
    for column, name in (("dataset", dataset), ("model", model)):
        records = [r for r in records if not name or meant(name, [r[column]])]
    if not any(can_draw(r, against) for r in records):
        raise UsageError(
            f"{db} has no finished results of task {task}{f', metric {metric}' if metric else ''} to draw."
        )
    try:
        figure = curve_figure(records, against)
    except ImportError as error:
        raise HarnessError("harness plot needs matplotlib: pip install matplotlib") from error
    try:
        figure.savefig(output, dpi=160)
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error}.") from error
    click.echo(f"{output}: {len(records)} results")
