"""`harness plugins new KIND NAME`: writes the package of a new plugin."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.once import Command
from harness.discovery.templates import KINDS_OF_TEMPLATES

__all__ = ["new"]


@click.command("new", cls=Command)
@click.argument("kind", type=click.Choice(KINDS_OF_TEMPLATES))
@click.argument("name")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="The folder of the package, which must not exist or be empty.  [default: harness-NAME]",
)
def new(kind: str, name: str, output: Path | None) -> None:
    """Write a package with a small plugin that works, its tests and a page about it, to begin with.

    \b
        harness plugins new codec my-codec
        pip install -e 'harness-my-codec[test]' && pytest harness-my-codec

    NAME has lower-case letters and digits, with single hyphens in between.
    """
    import shlex

    from harness.discovery.plugins import installed
    from harness.discovery.templates import new_package
    from harness.errors import UsageError
    from harness.files import write_whole

    files = new_package(kind, name)
    if kind != "logger" and name in installed().names(kind):
        raise UsageError(f"there is a {kind} {name} already (harness list plugins): choose another name.")
    folder = output or Path(f"harness-{name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already, and is left as it is. Name another folder by -o.")
    try:
        for path, content in files.items():
            write_whole(folder / path, content)
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror or error}.") from error
    quoted = shlex.quote(f"{folder if folder.is_absolute() else './' + folder.as_posix()}[test]")
    click.echo(f"{folder}: a package with the {kind} {name}. Next:")
    click.echo(f"  pip install -e {quoted}")
    click.echo(f"  pytest {shlex.quote(str(folder))}")
