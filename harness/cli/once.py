"""Commands that refuse an option given twice if it takes a single value. Click would silently use the last value."""

from __future__ import annotations

import click

from harness.errors import UsageError

__all__ = ["Command", "Group"]


class _SingleOptions(click.Command):
    """Checks that options with a single value are given at most once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in given:
            single = isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)
            if single and given.count(option) > 1:
                raise UsageError(f"{option.opts[0]} was given {given.count(option)} times, and takes one value.")
        return super().parse_args(ctx, args)


class Command(_SingleOptions):
    """A command that refuses repeated options."""


class Group(_SingleOptions, click.Group):
    """A group of commands that has options itself, and refuses repeated ones."""
