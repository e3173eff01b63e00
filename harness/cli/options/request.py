"""The options that describe the experiments of a run, from the command line or an experiment file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from harness.cli.options.common import data_root_option, database_option, registry_option
from harness.discovery.registry import read_toml
from harness.errors import UsageError, did_you_mean
from harness.model import PRECISIONS
from harness.planning.request import Request
from harness.results.tables.text import clean

if TYPE_CHECKING:
    from harness.planning.grid import Grid
    from harness.unit import Settings

    _SizeType = click.ParamType[int | Literal["auto"]]
else:
    _SizeType = click.ParamType

__all__ = ["batch_sizes", "file_keys", "make_request", "request_options"]

F = TypeVar("F", bound=Callable[..., Any])


class _BatchSize(_SizeType):
    """Parses a whole number, or `auto`."""

    name = "number or auto"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        try:
            return int(value)
        except ValueError:
            raise UsageError(f"--batch {value!r} is neither a whole number nor auto.") from None


def _read_file(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """Make the values of an experiment file the defaults of the options. Options on the command line override them.

    Raises:
        UsageError: the file is missing, is not valid TOML, or has an unknown key.
    """
    if value is None:
        return None
    if not value.exists():
        raise UsageError(
            f"experiment file {value}: there is no such file; looked for {value.absolute()}. FILE is a TOML file with "
            f"any of the options of harness {ctx.info_name} as keys; a codec is named by --codec, a task by --task."
        )
    try:
        data = read_toml(value.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"experiment file {value}: {error}") from error
    options = file_keys(ctx.command)
    elsewhere = _keys_of_run(ctx)  # keys of a run alone (workers, resamples) say nothing to `harness plan`
    defaults: dict[str, Any] = {}
    for key, content in data.items():
        name = key.replace("_", "-")
        if name not in options:
            if name in elsewhere:
                continue
            hint = did_you_mean(name, list(options))
            raise UsageError(f"experiment file {value}: no option {key!r}.{hint} There is: {', '.join(options)}.")
        option = options[name]
        assert option.name is not None
        try:
            defaults[option.name] = _given(ctx, option, content)
        except (click.BadParameter, UsageError, TypeError, ValueError, OverflowError) as error:
            told = error.message if isinstance(error, click.BadParameter) else str(error)
            raise UsageError(f"experiment file {value}: key {key!r}: {told}") from error
    ctx.default_map = {**defaults}
    return value


def file_keys(command: click.Command) -> dict[str, click.Option]:
    """Return the keys that an experiment file may have, with the options whose values they give.

    The keys are the options' long names without dashes in front: "codec", "data-root", "from".

    Args:
        command: the command that reads the file.
    """
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {max(option.opts, key=len).removeprefix("--"): option for option in options}


def _keys_of_run(ctx: click.Context) -> dict[str, click.Option]:
    """Return the keys that a file may have for `harness run`, from within another command."""
    group = ctx.parent.command if ctx.parent else None
    command = group.get_command(ctx, "run") if isinstance(group, click.Group) else None
    return file_keys(command) if command else {}


def _given(ctx: click.Context, option: click.Option, content: object) -> object:
    """Return what an experiment file gives for an option.

    Raises:
        UsageError: it is a table, a date, a list for an option that is given once, or a number of another kind.
        click.BadParameter: the option refuses the value.
    """
    if option.is_flag:
        if not isinstance(content, bool):
            raise UsageError("true or false is expected.")
        return content
    values = content if isinstance(content, list) and option.multiple else [content]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            found = type(value).__name__
            expected = "a text, a number, or a list of them" if option.multiple else "a text or a number"
            raise UsageError(f"{expected} is expected, found {found}.")
        if isinstance(value, float) and not (option.multiple or isinstance(option.type, click.types.StringParamType)):
            raise UsageError(f"a whole number or a text is expected, found {value}.")
    given = [str(value) for value in values] if option.multiple else content
    option.type_cast_value(ctx, given)
    return given


def request_options(command: F) -> F:
    """Add the options that describe the experiments of a run, and the argument for an experiment file."""
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
        click.option(
            "--weights",
            help="A file (FILE:key=NAME for one entry), or a name that the model knows; default: the model's.",
        ),
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
            "--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True, help="Forward pass."
        ),
        click.option("--compile", "compile_", is_flag=True, help="Let torch compile the network."),
        click.option(
            "--batch",
            type=_BatchSize(),
            metavar="N|auto",
            help="Samples a batch; auto: with which the device is fastest; default: the model's.",
        ),
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


def batch_sizes(settings: Settings, measure: bool = True, quiet: bool = False) -> Callable[[Grid], Grid]:
    """Return what gives a grid's subjects the batch sizes of `--batch auto`, and says them on the standard error.

    Args:
        settings: the device, precision and threads.
        measure: whether to measure what was not measured before.
        quiet: whether to say nothing.
    """

    def sizes(grid: Grid) -> Grid:
        from harness.device.batch_size import sized  # imports torch, so it waits until it is called

        return sized(grid, settings, lambda text: None if quiet else click.echo(clean(text), err=True), measure)

    return sizes


def make_request(options: dict[str, Any]) -> Request:
    """Make a request from the values of `request_options`.

    Args:
        options: the values, by the parameter's name.

    Raises:
        UsageError: codec or task is missing, or an option of retraining is given without `--retrain`.
    """
    if not options["codec"] or not options["task"]:
        missing = [f"--{name}" for name in ("codec", "task") if not options[name]]
        context = click.get_current_context(silent=True)
        command = f"harness {context.info_name if context else 'run'} --codec jpeg --task detection"
        raise UsageError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed, e.g. {command}.")
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
        compiled=options["compile_"],
        batch=options["batch"],
        baseline=not options["no_baseline"],
        retrain=tuple(options["retrain"]),
        scratch=options["from_"] == "scratch",
        recipe=options["recipe"],
        settings=tuple(options["set_"]),
        seeds=options["seeds"],
        parts=tuple(options["retrain_parts"]),
        reference=options["reference"],
    )
