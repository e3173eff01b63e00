"""What the commands on results share: the database they read, and the options that choose from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.discovery.plugins import installed
from harness.errors import UsageError, did_you_mean
from harness.results.tables.text import FORMATS, clean
from harness.store import Filters

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = [
    "FILTERS",
    "chosen",
    "filter_options",
    "filters_of",
    "form_of",
    "form_options",
    "inner_options",
    "opened",
    "tell_unfinished",
]

F = TypeVar("F", bound=Callable[..., Any])

_TOLD = 10
"""Experiments that a warning names."""

FILTERS = ("task", "codec", "dataset", "model")


def filter_options(command: F) -> F:
    """`--task`, `--codec`, `--dataset`, `--model`."""
    first = click.option("--task", "-t", multiple=True, help="Only this task; repeatable, as are the next three.")
    for name in reversed(FILTERS[1:]):
        command = click.option(f"--{name}", f"-{name[0]}", multiple=True, help=f"Only this {name}.")(command)
    return first(command)


def form_options(command: F) -> F:
    """`--format`, and `--json` for short; `form_of` says which was asked for."""
    command = click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help="[default: table]")(command)
    return click.option("--json", "as_json", is_flag=True, help="As JSON.")(command)


def form_of(as_json: bool, form: str | None) -> str:
    """The format that was asked for.

    Raises:
        UsageError: two.
    """
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form}: choose one of them.")
    return "json" if as_json else form or "table"


def chosen(ctx: click.Context, wanted: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """What filters a command below `harness results` was given, or else `results` itself before its name."""
    outer = ctx.parent.params if ctx.parent else {}
    return {name: wanted[name] or outer.get(name, ()) for name in wanted}


def inner_options(command: F) -> F:
    """`--format` and `--db` of a command below `harness results`, where they may also stand before it."""
    what = "How to write it; may stand before the command's name."
    command = click.option("--db", help="Results database, if not the one given before the command's name.")(command)
    return click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help=what)(command)


@contextmanager
def opened(db: str) -> Iterator[Store]:
    """The database, for reading."""
    from harness.discovery.stores import open_store

    with closing(open_store(db, installed(), write=False)) as store:
        yield store


def tell_unfinished(cells: Sequence[ResultCell], codecs: Collection[str] = ()) -> None:
    """Say on the standard error which experiments are in no ladder since they have not finished.

    Args:
        cells: experiments.
        codecs: only those of these codecs, and uncompressed ones; empty for all.
    """
    lacking: dict[str, None] = {}
    for cell in cells:
        facts = cell.facts
        if facts["status"] != "finished" and (not codecs or facts["codec"] in (*codecs, "none")):
            level = "" if facts["level"] is None else f" at {facts['level_name']} {facts['level']:g}"
            lacking[
                f"{facts['task']}, {facts['codec']}{level}, {facts['training']} ({facts['status'] or 'not begun'})"
            ] = None
    more = f"; and {len(lacking) - _TOLD} more" if len(lacking) > _TOLD else ""
    if lacking:
        told = "; ".join(list(lacking)[:_TOLD])
        click.echo(clean(f"warning: not finished, and left out: {told}{more}."), err=True)


def filters_of(store: Store, wanted: Mapping[str, Sequence[str]]) -> Filters:
    """The filters that were asked for; a name without options stands for it with any.

    Raises:
        UsageError: a name that nothing in the database has.
    """
    from harness.results.cells import matching_names

    if not any(wanted.values()):
        return Filters()
    columns, rows = store.view("results")
    allowed: dict[str, list[str]] = {}
    for column, names in wanted.items():
        place = columns.index(column)
        known = sorted({str(row[place]) for row in rows})
        for name in names:
            found = matching_names(name, known)
            allowed.setdefault(column, []).extend(found)
            if not found:
                hint = did_you_mean(name, known)
                raise UsageError(
                    f"the database has no results of {column} {name!r}.{hint} It has: {', '.join(known) or 'none'}."
                )
    return Filters(allowed)
