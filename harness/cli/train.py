"""`harness train`: trains a model on a dataset by a recipe, and writes a file of weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import DATABASE, data_root_option, make_registry, registry_option
from harness.errors import DatasetError, UsageError
from harness.files import whole_file

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.request import Request
    from harness.training.job import Job

__all__ = ["train"]

_MOST = 1024
"""No machine has more workers or threads of use."""


@click.command(cls=Command)
@click.option("--task", "-t", required=True, help="The task.")
@click.option("--model", "-m", help="name[:key=value,...]; default: the task's.")
@click.option("--dataset", "-d", help="name[:key=value,...]; default: the task's.")
@click.option("--recipe", "-r", help="Of registry.toml, [recipes.TASK.NAME]; default: the task's.")
@click.option("--set", "settings", multiple=True, help="A value of the recipe, key=value; repeatable.")
@click.option("--weights", help="A file of weights to start from; default: random ones.")
@click.option("--part", "parts", multiple=True, help="Train only this part of the model (spatial); repeatable.")
@data_root_option
@click.option("--split", help="The split to train on; default: the recipe's.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all that is random.")
@click.option("--device", help="cpu, cuda, cuda:N or mps; default: the best there is.")
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="How many of them.")
@click.option(
    "--workers", type=click.IntRange(0, _MOST), help="Processes that read and augment; default: by the cores."
)
@click.option("--threads", type=click.IntRange(1, _MOST), help="Threads on the CPU; default: the cores.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where the weights go, besides the cache.")
@registry_option
def train(registries: tuple[Path, ...], output: Path | None, threads: int | None, **options: Any) -> None:
    """Train a model and save a checkpoint.

    \b
        harness train --task detection --dataset demo
        harness train --task detection --dataset voc --data-root VOCdevkit --set iterations=2000 -o voc.safetensors

    Checkpoints, the loss curve and the weights (safetensors) are kept in the cache folder under the training's
    identity: the same command continues what was cut off, and finds what is done.
    """
    from rich.console import Console

    from harness.device import machine

    if output is not None and not os.access(_existing(output.absolute().parent), os.W_OK):
        raise UsageError(f"--output {output}: its folder cannot be written.")
    device = machine.find_device(options["device"])
    job = _job(options, registries)

    import torch

    from harness.training.job import place_of
    from harness.training.loop import Runtime
    from harness.training.loop import train as carry_out

    if device == "cpu":
        torch.set_num_threads(threads or machine.cores())
    workers = options["workers"]
    if workers is None:
        workers = 1 if device == "cpu" else max(1, machine.cores() - 1)
    place = place_of(job)
    console = Console(stderr=True)
    console.print(f"training in {place.folder}", highlight=False, soft_wrap=True)
    with make_watcher(console) as watcher:
        result = carry_out(job, place, Runtime(device, options["devices"], workers), watcher)
    if not result.iterations:
        console.print("done before: nothing to do.", highlight=False)
    written = result.weights
    if output is not None:
        try:
            with whole_file(output.absolute()) as part:
                shutil.copyfile(result.weights, part)
        except OSError as error:
            raise UsageError(
                f"--output {output} cannot be written: {error.strerror or error}. The weights are in {result.weights}."
            ) from error
        written = output
    if result.sha256:
        click.echo(f"weights {written}\nsha256 {result.sha256}\ncurve {result.curve}")


def _job(options: Mapping[str, Any], registries: tuple[Path, ...]) -> Job:
    from harness.discovery.plugins import installed
    from harness.discovery.stores import recorded_file
    from harness.planning.names import Names
    from harness.training.job import Job
    from harness.training.recipe import Recipe

    registry, plugins, task = make_registry(registries), installed(), options["task"]
    # A training has no database; that of runs may know which file had a name.
    plugins.recall = partial(recorded_file, os.environ.get("HARNESS_DB") or DATABASE, plugins)
    plugins.get("task", task)
    defaults = registry.entry("tasks", task)
    selection: dict[str, str] = {}
    for name in ("recipe", "dataset", "model"):
        text = options[name] or defaults.get(name)
        if text is None:
            raise UsageError(f"task {task} has no default {name}: name one with --{name}.")
        selection[name] = text
    where = f"recipe {task}.{selection['recipe']}"
    recipe = Recipe.of(registry.recipe(task, selection["recipe"]), where).changed(options["settings"])
    if options["split"]:
        recipe = replace(recipe, split=options["split"])
    names = Names(_request(options, selection), plugins, registry)
    try:
        dataset = names.dataset(selection["dataset"], task, recipe.split)
    except DatasetError as error:
        if options["split"]:
            raise
        raise DatasetError(f"{error} ({where} trains on split {recipe.split}; --split names another.)") from error
    model, name = names.model(selection["model"])
    if model.task != task:
        raise UsageError(f"model {name} serves {model.task}, not {task}.")
    initial = None
    if options["weights"]:
        initial = model.resolve_weights(options["weights"], dataset.classes)
    provided = {"model": plugins.provided("model", model.name), "dataset": plugins.provided("dataset", dataset.name)}
    sources = {kind: source for kind, one in provided.items() if (source := one.source)}
    job = Job(model, dataset, recipe, options["seed"], initial, parts=tuple(options["parts"]), sources=sources)
    job.check()
    return job


def _request(options: Mapping[str, Any], selection: Mapping[str, str]) -> Request:
    from harness.planning.request import Request

    return Request(
        codecs=(),
        tasks=(options["task"],),
        models=(selection["model"],),
        datasets=(selection["dataset"],),
        data_roots=options["data_root"],
        seed=options["seed"],
    )


def make_watcher(console: Console) -> Any:
    """Return a progress bar if the console is a terminal, else progress as lines."""
    from harness.cli.progress.trainings import TrainingBar, TrainingLines

    return TrainingBar(console) if console.is_terminal else TrainingLines(console)


def _existing(folder: Path) -> Path:
    """Return the folder if it exists, else its nearest existing parent."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
