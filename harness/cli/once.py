"""What every command does: it takes `--plugin`, and refuses numbers that are too large and options given twice.

Of an option with a single value that is given twice, click would silently use the last one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import click

from harness.discovery.files import use_files
from harness.errors import UsageError, plain_text

__all__ = ["Command", "Group", "plugin_files", "taking_plugins"]

_LARGEST = 2**63 - 1
"""Larger integers fit neither into a database nor into an array."""
_HELP = "A plugin that is a file (my_codec.py), or a folder with __init__.py; repeatable."


def taking_plugins(command: click.Command) -> click.Command:
    """Add `--plugin` to a command that does not take it, and return the command."""
    if not any("--plugin" in parameter.opts for parameter in command.params):
        command.params.append(_plugin_option())
    return command


def plugin_files(arguments: list[str]) -> list[str]:
    """Return the values of `--plugin` among the words of a command line, before it is known which command it is."""
    files = [after for word, after in pairwise(arguments) if word == "--plugin"]
    return files + [word.removeprefix("--plugin=") for word in arguments if word.startswith("--plugin=")]


def _plugin_option() -> click.Option:
    return click.Option(
        ["--plugin"], multiple=True, metavar="FILE", callback=_use, expose_value=False, is_eager=False, help=_HELP
    )


def _use(_: click.Context, __: click.Parameter, files: tuple[str, ...]) -> None:
    """Take the files as plugins from now on, and say which of them cannot be used."""
    use_files(files)
    if not files:
        return
    from harness.discovery.plugins import installed

    installed.cache_clear()
    for plugin in installed().broken:
        if plugin.origin.file:
            click.echo(f"warning: plugin {plugin.origin.file} is broken: {plain_text(plugin.error)}.", err=True)


class _SingleOptions(click.Command):
    """Takes `--plugin`; refuses an option with a single value that is given twice, and integers beyond 64 bits."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        taking_plugins(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in given:
            single = isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)
            if single and given.count(option) > 1:
                raise UsageError(f"{option.opts[0]} was given {given.count(option)} times, and takes one value.")
        left = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and abs(number) > _LARGEST:
                    name = parameter.opts[0]
                    raise UsageError(f"{name}: a number of {len(str(abs(number)))} digits is too large.")
        return left


class Command(_SingleOptions):
    """A command that refuses repeated options."""


class Group(_SingleOptions, click.Group):
    """A group of commands that has options itself, and refuses repeated ones."""
