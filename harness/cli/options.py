"""Options that several commands share, from the command line, an experiment file, or the environment."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.errors import UsageError, did_you_mean
from harness.registry import Registry, load
from harness.request import Request

__all__ = [
    "FiniteRange",
    "data_root_option",
    "database_option",
    "fps_option",
    "make_registry",
    "make_request",
    "registry_option",
    "request_options",
    "resamples_option",
]

F = TypeVar("F", bound=Callable[..., Any])

DATABASE = "sqlite:///harness.db"


def _read_file(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """Make an experiment file's values the defaults of the options; the command line stays above them."""
    if value is None:
        return None
    if not value.exists():
        raise UsageError(
            f"experiment file {value}: there is no such file; looked for {value.absolute()}. FILE is a TOML file with "
            f"any of the options of harness {ctx.info_name} as keys; a codec is named by --codec, a task by --task."
        )
    try:
        data = tomllib.loads(value.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"experiment file {value}: {error}") from error
    options = {p.name: p for p in ctx.command.params if isinstance(p, click.Option) and p.name}
    defaults: dict[str, Any] = {}
    for key, given in data.items():
        name = key.replace("-", "_")
        name = f"{name}_" if f"{name}_" in options else name  # --from, --set: words of Python's own
        if name not in options:
            hint = did_you_mean(name, list(options))
            known = ", ".join(option.rstrip("_") for option in options)
            raise UsageError(f"experiment file {value}: no option {key!r}.{hint} There is: {known}.")
        values = given if isinstance(given, list) else [given]
        defaults[name] = [str(v) for v in values] if options[name].multiple else given
    ctx.default_map = {**defaults}
    return value


if TYPE_CHECKING:
    _RootType = click.ParamType[tuple[str, str]]
else:
    _RootType = click.ParamType


class _DataRoot(_RootType):
    """PATH, or NAME=PATH, as (name, path); the name of a plain path is "". The environment's are a list, like PATH."""

    name = "path"
    envvar_list_splitter = os.pathsep

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, path = value.partition("=")
        if not equals or os.sep in name or (os.altsep and os.altsep in name):  # /data/a=b is a path
            name, path = "", value
        if not path:
            raise UsageError(f"--data-root {value!r}: the form is PATH or NAME=PATH.")
        return name, path


def _one_root_each(_: click.Context, __: click.Parameter, roots: tuple[tuple[str, str], ...]) -> Any:
    known: dict[str, str] = {}
    for name, path in roots:
        if name in known:
            what = f"for {name}" if name else "without a dataset's name"
            raise UsageError(
                f"--data-root (or HARNESS_DATA): {known[name]} and {path} are both given {what}. Name them: NAME=PATH."
            )
        known[name] = path
    return roots


def data_root_option(command: F) -> F:
    """`--data-root`: (dataset name, folder) pairs, at most one for each name and one under ""."""
    return click.option(
        "--data-root",
        multiple=True,
        type=_DataRoot(),
        envvar="HARNESS_DATA",
        callback=_one_root_each,
        metavar="[NAME=]PATH",
        help="Where datasets are: PATH (or a folder of that dataset's name in it), or NAME=PATH; repeatable.",
    )(command)


class FiniteRange(click.FloatRange):
    """A range of numbers, among which NaN and infinity are not: click lets NaN into any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


def fps_option(command: F) -> F:
    """`--fps`."""
    what = "Frames a second of a camera, for kbit/s and GB a day."
    return click.option("--fps", type=FiniteRange(0, min_open=True), help=what)(command)


def database_option(command: F) -> F:
    """`--db`."""
    return click.option(
        "--db", envvar="HARNESS_DB", default=DATABASE, show_default=True, help="Results database: a URL or a file."
    )(command)


def resamples_option(command: F) -> F:
    """`--resamples`."""
    return click.option(
        "--resamples",
        type=click.IntRange(100),
        default=1000,
        show_default=True,
        help="From how many the intervals are computed.",
    )(command)


def registry_option(command: F) -> F:
    """`--registry`."""
    return click.option(
        "--registry",
        "registries",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Overlay the shipped registry (default: registry.toml here, if there is one).",
    )(command)


def request_options(command: F) -> F:
    """What describes a cross product."""
    decorators = [
        click.argument(
            "file",
            required=False,
            is_eager=True,
            expose_value=False,
            callback=_read_file,
            type=click.Path(path_type=Path),
        ),
        click.option("--codec", "-c", "codec", multiple=True, help="name[:key=value,...][@level,...]; repeatable."),
        click.option("--task", "-t", "task", multiple=True, help="name[:key=value,...], or all; repeatable."),
        click.option("--model", "-m", "model", multiple=True, help="name[:key=value,...]; default: the task's."),
        click.option(
            "--dataset",
            "-d",
            "dataset",
            multiple=True,
            help="name[:key=value,...], or a folder or file; default: the task's.",
        ),
        click.option("--weights", help="A file, or a name that the model knows; default: the model's."),
        data_root_option,
        click.option("--split", help="The split to evaluate on; default: the dataset's."),
        click.option(
            "--reference",
            type=click.Choice(["labels", "predictions"]),
            default="labels",
            show_default=True,
            help="Judge by labels, or by the model's own output on uncompressed frames.",
        ),
        click.option("--limit", type=int, help="A seeded, stratified subset of so many samples."),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**63 - 1),
            default=0,
            show_default=True,
            help="Of the subset, and of the intervals.",
        ),
        click.option("--device", help="cpu, cuda, cuda:N or mps; default: the best there is."),
        click.option(
            "--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Forward pass."
        ),
        click.option("--batch", type=int, help="Samples a batch; default: the model's for the device."),
        click.option("--no-baseline", is_flag=True, help="Leave out the uncompressed baseline."),
        click.option(
            "--retrain",
            multiple=True,
            metavar="WHAT",
            help="Retrain and test: matched, all, mixed, clean, a level, or codec@level; repeatable.",
        ),
        click.option(
            "--from",
            "from_",
            type=click.Choice(["pretrained", "scratch"]),
            default="pretrained",
            show_default=True,
            help="What retraining starts from.",
        ),
        click.option("--recipe", help="Of retraining, [recipes.TASK.NAME] of the registry; default: the task's."),
        click.option("--set", "set_", multiple=True, metavar="KEY=VALUE", help="A value of the recipe; repeatable."),
        click.option(
            "--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds to retrain from."
        ),
        click.option("--retrain-parts", multiple=True, metavar="PART", help="Retrain only this part; repeatable."),
        registry_option,
        database_option,
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def make_registry(registries: tuple[Path, ...]) -> Registry:
    """The registry with the overlays that were asked for."""
    return load(registries or None)


def make_request(options: dict[str, Any], device: str) -> Request:
    """A request from the values of `request_options`.

    Raises:
        UsageError: no codec or no task.
    """
    if not options["codec"] or not options["task"]:
        lacking = [f"--{name}" for name in ("codec", "task") if not options[name]]
        context = click.get_current_context(silent=True)
        command = f"harness {context.info_name if context else 'run'} --codec jpeg --task detection"
        raise UsageError(f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} needed, e.g. {command}.")
    retraining = {"--from": options["from_"] == "scratch", "--recipe": options["recipe"], "--set": options["set_"]}
    retraining |= {"--seeds": options["seeds"] > 1, "--retrain-parts": options["retrain_parts"]}
    if not options["retrain"] and (idle := [name for name, value in retraining.items() if value]):
        raise UsageError(
            f"{', '.join(idle)} {'says' if len(idle) == 1 else 'say'} how to retrain, and nothing is retrained: add "
            "--retrain matched, for example."
        )
    return Request(
        codecs=tuple(options["codec"]),
        tasks=tuple(options["task"]),
        models=tuple(options["model"]),
        datasets=tuple(options["dataset"]),
        weights=options["weights"],
        data_roots=options["data_root"],
        split=options["split"],
        limit=options["limit"],
        seed=options["seed"],
        precision=options["precision"],
        batch=options["batch"],
        device=device.partition(":")[0],
        baseline=not options["no_baseline"],
        retrain=tuple(options["retrain"]),
        scratch=options["from_"] == "scratch",
        recipe=options["recipe"],
        settings=tuple(options["set_"]),
        seeds=options["seeds"],
        parts=tuple(options["retrain_parts"]),
        reference=options["reference"],
    )
