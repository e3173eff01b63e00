"""`harness init`: writes a commented experiment file with every option of `harness run`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import click

from harness.cli.once import Command
from harness.cli.options.request import file_keys
from harness.errors import UsageError

__all__ = ["experiment_file", "init"]

_SCHEMA = "experiment.schema.json"
_REGISTRY_SCHEMA = "registry.schema.json"


@click.command(cls=Command)
@click.argument("file", default="experiment.toml", type=click.Path(path_type=Path))
@click.option("--codec", "-c", multiple=True, help="A codec to begin with; repeatable.  [default: jpeg]")
@click.option("--task", "-t", multiple=True, help="A task to begin with; repeatable.  [default: detection]")
@click.option(
    "--schema",
    is_flag=True,
    help=f"Write {_SCHEMA} and {_REGISTRY_SCHEMA} beside it, by which editors complete and check TOML files.",
)
def init(file: Path, codec: tuple[str, ...], task: tuple[str, ...], schema: bool) -> None:
    """Write an experiment file with every option of `harness run`, each with its meaning and its default.

    \b
        harness init && harness plan experiment.toml && harness run experiment.toml

    Files that exist are left as they are.
    """
    from harness.cli.run import run
    from harness.cli.schemas import experiment_schema, registry_schema

    given = {"codec": list(codec or ("jpeg",)), "task": list(task or ("detection",))}
    texts = {file: experiment_file(run, given, _SCHEMA if schema else None)}
    if schema:
        for name, content in ((_SCHEMA, experiment_schema(run)), (_REGISTRY_SCHEMA, registry_schema())):
            texts[file.with_name(name)] = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if existing := [str(path) for path in texts if path.exists()]:
        raise UsageError(f"{', '.join(existing)} exists already, and is left as it is. Name another file.")
    for path, text in texts.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{', '.join(map(str, texts))}: written. Next: harness plan {file}")


def experiment_file(command: click.Command, given: dict[str, list[str]], schema: str | None) -> str:
    """Return the text of an experiment file: the given keys, and all others as comments.

    Args:
        command: the command whose options are the keys: `harness run`.
        given: key -> its values.
        schema: the name of the file with the JSON Schema, for editors; None for none.
    """
    lines = [f"#:schema {schema}", ""] if schema else []
    lines += [
        "# An experiment file: its keys are the options of `harness run`. Options on the command line override it.",
        "#",
        "#     harness plan FILE     what would be done, and how long it takes",
        "#     harness run FILE",
        "#",
        "# Keys behind a # have their default, or nothing where they have none. A list may have several values.",
        "",
    ]
    for key, option in file_keys(command).items():
        lines += textwrap.wrap(option.help or "", 118, initial_indent="# ", subsequent_indent="# ")
        lines += [f"{key} = {_toml(given[key])}" if key in given else f"# {key} = {_default(option)}".rstrip(), ""]
    return "\n".join(lines[:-1]) + "\n"


def _default(option: click.Option) -> str:
    """Return the default of an option as TOML; "" if it has none."""
    default = option.to_info_dict()["default"]
    if option.multiple:
        return "[]"
    if isinstance(default, bool | int | float | str):
        return _toml(default)
    return ""


def _toml(value: object) -> str:
    """Return a plain value as TOML. JSON's texts, numbers, booleans and lists are TOML's."""
    return json.dumps(value, ensure_ascii=False)
