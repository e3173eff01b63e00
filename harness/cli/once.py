"""Commands whose single options are given once: click would take the last of several, and say nothing."""

from __future__ import annotations

import click

from harness.errors import UsageError

__all__ = ["Command", "Group"]


class _Once(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in given:
            single = isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)
            if single and given.count(option) > 1:
                raise UsageError(f"{option.opts[0]} was given {given.count(option)} times, and takes one value.")
        return super().parse_args(ctx, args)


class Command(_Once):
    """A command."""


class Group(_Once, click.Group):
    """A group of commands, with options of its own."""
