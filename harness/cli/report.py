"""`harness report`: the results of a database as one page that opens from disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.once import Command
from harness.cli.options.common import data_root_option, database_option, fps_option, make_registry, registry_option
from harness.cli.options.results import FILTERS, filter_options, filters_of, open_for_reading
from harness.discovery.plugins import installed
from harness.errors import HarnessError, UsageError
from harness.files import write_whole
from harness.results.tables.text import clean

__all__ = ["report"]

_OTHER_ENDINGS = (".pdf", ".md", ".txt", ".csv", ".json", ".png", ".svg", ".zip")
"""Endings that show that a user means a file, not a folder."""


@click.command(cls=Command)
@filter_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A folder, or an .html file.")
@click.option("--title", default="How far can it be compressed?", show_default=True, help="Above the page.")
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Pictures of so many samples of each codec, those that lose most; 0: none.",
)
@click.option("--max-drop", default="2%", show_default=True, help="What recommendations allow: 0.02, or 2%.")
@fps_option
@click.option("--resolution", metavar="WxH", help="Its frames' size in pixels.")
@click.option(
    "--measure",
    "measures",
    multiple=True,
    type=click.Choice(["ms-ssim", "vmaf"]),
    help="A measure of the picture beside PSNR, made on up to 20 samples; repeatable.",
)
@click.option(
    "--provenance",
    type=click.Choice(["short", "full"]),
    default="short",
    show_default=True,
    help="short: no names of hosts, and of files only the last part; full: as they are.",
)
@click.option("--weights", help="The file the experiments were run with, where it is not the model's own.")
@click.option("--device", help="cpu, cuda, cuda:N or mps, for the pictures; default: the best there is.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but where the page is.")
@data_root_option
@registry_option
@database_option
def report(
    task: Sequence[str],
    codec: Sequence[str],
    dataset: Sequence[str],
    model: Sequence[str],
    output: Path,
    title: str,
    samples: int,
    max_drop: str,
    fps: float | None,
    resolution: str | None,
    measures: tuple[str, ...],
    provenance: str,
    weights: str | None,
    device: str | None,
    quiet: bool,
    data_root: tuple[tuple[str, str], ...],
    registries: tuple[Path, ...],
    db: str,
) -> None:
    """Write the results of a database as one page: curves, tables, recovery, a failure atlas, provenance.

    \b
        harness report -o report/
        harness report --task detection --samples 5 -o detection.html

    The page needs no network and no other file. Its pictures are made anew from the data and the models that the
    experiments were run with; where these are not here any more, it says so and has none.
    """
    from harness.decide.cost import Camera
    from harness.decide.limit import Limit
    from harness.device import machine
    from harness.page.fidelity import unavailable_reason
    from harness.page.page import PageOptions, page
    from harness.show.remake import Environment

    target = _target(output)
    limit, camera = Limit.parse(max_drop), Camera.parse(fps, resolution)
    if missing := [reason for name in measures if (reason := unavailable_reason(name))]:
        raise UsageError(" ".join(missing))
    torch_device = machine.find_device(device)
    environment = Environment(installed(), make_registry(registries), data_root, weights)
    status = (lambda text: None) if quiet else (lambda text: click.echo(clean(text), err=True))
    wanted = dict(zip(FILTERS, (task, codec, dataset, model), strict=True))
    if codec:
        wanted["codec"] = [*codec, "none"]
    with open_for_reading(db) as store:
        page_options = PageOptions(
            title=title,
            filters=filters_of(store, wanted),
            samples=samples,
            limit=limit,
            camera=camera,
            full=provenance == "full",
            measures=measures,
            settings=machine.choose(torch_device, "fp32"),
            status=status,
            warning=lambda text: click.echo(clean(f"warning: {text}"), err=True),
        )
        try:
            text = page(store, environment, page_options)
        except ImportError as error:
            raise HarnessError(f"harness report needs {error.name}: pip install 'codec-harness[report]'") from error
    _write(target, text)
    click.echo(f"{target}: {len(text.encode()) / 1e6:.1f} MB")


def _target(output: Path) -> Path:
    """Return the HTML file to write: the output itself, or index.html in the output folder, which may not exist yet.

    Raises:
        UsageError: the file cannot be written, or has another ending than .html.
    """
    file = output.suffix.lower() in (".html", ".htm")
    if output.suffix.lower() in _OTHER_ENDINGS and not output.exists():
        raise UsageError(f"--output {output}: the page is HTML; name a folder, or an .html file (a browser prints it).")
    if file and not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
    target = output if file else output / "index.html"
    existing = next(folder for folder in target.absolute().parents if folder.exists())
    if not existing.is_dir():
        raise UsageError(f"--output {output}: a file that is no .html is in the way: {existing}.")
    if not os.access(existing, os.W_OK):
        raise UsageError(f"--output {output}: nothing may be written into {existing}.")
    return target


def _write(target: Path, text: str) -> None:
    """Write the page, whole or not at all: a failure leaves neither a file nor a folder.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        write_whole(target, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(f"--output {target} cannot be written: {error.strerror or error}.") from error
