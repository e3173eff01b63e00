"""Commands that plugins add, for the groups `harness` and `harness results`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

__all__ = ["added_commands"]


@cache
def added_commands(group: str = "") -> dict[str, click.Command]:
    """Return the commands that plugins add to a group, by their names in it.

    Args:
        group: the name of the group; "" for `harness` itself.
    """
    from importlib.metadata import entry_points

    from harness.discovery.files import given_files
    from harness.discovery.plugins import GROUP, OWN, installed

    # The harness's own plugins add commands to `harness results` alone, and loading them takes time.
    if (
        not group
        and not given_files()
        and all(point.dist is not None and point.dist.name == OWN for point in entry_points(group=GROUP))
    ):
        return {}
    found: dict[str, click.Command] = {}
    for name, command in installed().commands().items():
        where, _, last = name.rpartition(" ")
        if where == group:
            found[last] = command
    return found
