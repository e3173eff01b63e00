"""`harness results show`: a picture of samples at several levels, with the model's predictions drawn into them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from harness.cli.once import Command
from harness.cli.options.common import data_root_option, make_registry, registry_option
from harness.cli.options.results import open_for_reading
from harness.discovery.plugins import installed
from harness.errors import UsageError
from harness.files import whole_file

__all__ = ["show"]

FORMATS = (".png", ".jpg", ".jpeg", ".webp")


def _crop(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int, int, int] | None:
    """Parse "x,y,width,height" in pixels."""
    if value is None:
        return None
    parts = [int(part) for part in value.split(",") if part.strip().isdigit()]
    if len(parts) != 4 or value.count(",") != 3 or 0 in parts[2:]:
        raise UsageError(f"--crop {value!r} is not x,y,width,height in whole pixels.")
    x, y, width, height = parts
    return x, y, width, height


@click.command(cls=Command)
@click.option("--task", "-t", required=True, help="The task.")
@click.option("--codec", "-c", required=True, multiple=True, help="name[:key=value,...][@level,...]; repeatable.")
@click.option("--level", type=float, multiple=True, help="Only this level; repeatable. Default: all there are.")
@click.option("--sample", "-s", multiple=True, help="A sample's id, or its number from 0; repeatable. Default: 0.")
@click.option("--worst", type=click.IntRange(1), help="The N samples that lost most at the strongest level shown.")
@click.option(
    "--training",
    multiple=True,
    metavar="WHAT",
    help="Beside the pretrained model a retrained one: matched, mixed, clean, a level, or codec@level; repeatable.",
)
@click.option("--model", "-m", help="name[:key=value,...]; default: that of the newest experiments.")
@click.option("--dataset", "-d", help="name[:key=value,...]; default: likewise.")
@click.option("--split", help="Its split; default: likewise.")
@click.option("--limit", type=click.IntRange(1), help="Experiments of so many samples; default: likewise.")
@click.option("--weights", help="The file the experiments were run with, where it is not the model's own.")
@click.option("--frame", type=click.IntRange(0), help="Of a clip; default: the first that is scored.")
@click.option(
    "--crop", metavar="X,Y,W,H", callback=_crop, help="Only this part of the picture, in pixels of the source."
)
@click.option("--columns", type=click.IntRange(1), help="Pictures side by side; default: what a screen can show.")
@click.option("--plain/--no-plain", default=None, help="The pictures alone, too; default: where drawings hide them.")
@click.option("--device", help="cpu, cuda, cuda:N or mps; default: the best there is.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A .png, .jpg or .webp file.")
@data_root_option
@registry_option
@click.option("--db", help="Results database, if not the one given before `show`.")
@click.pass_obj
def show(default: str, /, output: Path, db: str | None, registries: tuple[Path, ...], **options: Any) -> None:
    """Draw samples at several levels, with the model's predictions, side by side.

    \b
        harness results show --task detection --codec jpeg --sample 3 -o panel.png
        harness results show --task detection --codec jpeg@50,5 --worst 2 -o worst.png
        harness results show --task pose --codec jpeg@10,5 --training matched -o retrained.png

    Codec and model are run again on these samples, with exactly what the experiments in the database were run with;
    where that is not here any more (another version of a library, other weights), the command says so and draws
    nothing. Rates and scores are the samples' own.
    """
    from harness.device import machine
    from harness.show.panels import PanelOptions, draw_panel, find_samples, read_rows, worst_samples
    from harness.show.recorded import PanelQuery, find
    from harness.show.remake import Environment, remake
    from harness.show.retrained import weights_of

    _check_output(output)
    if options["sample"] and options["worst"]:
        raise UsageError("--sample and --worst exclude each other.")
    wanted = PanelQuery(
        options["task"],
        options["codec"],
        options["level"],
        options["model"],
        options["dataset"],
        options["split"],
        options["limit"],
        options["training"],
    )
    device = machine.find_device(options["device"])
    environment = Environment(
        installed(),
        make_registry(registries),
        options["data_root"],
        options["weights"],
        options["model"],
        options["dataset"],
    )
    with open_for_reading(db or default) as store:
        recorded = find(store, wanted)
        identities = store.identities([cell.facts["experiment"] for cell in recorded.cells])
        rows = read_rows(store, recorded)
        remade = remake(recorded.cells, identities, environment)
        trained = weights_of(store, identities, remade.subject.dataset.classes)
    if recorded.others:
        _warn(f"shown are the newest experiments that fit. There are also: {'; '.join(recorded.others)}.")
    remade = replace(remade, weights=trained)
    if options["worst"]:
        samples = worst_samples(rows, recorded, options["worst"], remade.subject.task.sample_metric.higher_is_better)
    else:
        samples = find_samples(rows, options["sample"] or ("0",))
    look = PanelOptions(options["frame"], options["crop"], options["columns"], options["plain"])
    settings = machine.choose(device, recorded.cells[0].facts["precision"])
    panel = draw_panel(recorded, remade, rows, samples, settings, look, _warn)
    try:
        with whole_file(output) as part:
            panel.save(part)
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{output}: {len(samples)} samples, {panel.width}x{panel.height} pixels")


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in FORMATS:
        raise UsageError(f"--output {output}: the file's ending must be {', '.join(FORMATS)}.")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)
