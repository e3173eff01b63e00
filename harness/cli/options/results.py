"""Code that the commands on results share: opening the database, and the options that filter and format results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.discovery.plugins import installed
from harness.errors import HarnessError, StoreError, UsageError, did_you_mean
from harness.keep.texts import without_passwords
from harness.results.tables.text import FORMATS, clean
from harness.store import Filters

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = [
    "FILTERS",
    "damage_told",
    "filter_options",
    "filters_of",
    "form_of",
    "form_options",
    "inner_options",
    "merged_filters",
    "open_for_reading",
    "print_profile",
    "warn",
    "warn_superseded",
    "warn_unfinished",
]

_ALL = Filters()

F = TypeVar("F", bound=Callable[..., Any])

_NAMED_IN_WARNING = 10
"""The maximum number of experiments that a warning names."""

FILTERS = ("task", "codec", "dataset", "model")


def filter_options(command: F) -> F:
    """Add the filters `--task`, `--codec`, `--dataset` and `--model`."""
    first = click.option("--task", "-t", multiple=True, help="Only this task; repeatable, as are the next three.")
    for name in reversed(FILTERS[1:]):
        command = click.option(f"--{name}", f"-{name[0]}", multiple=True, help=f"Only this {name}.")(command)
    return first(command)


def form_options(command: F) -> F:
    """Add `--format`, and `--json` as its short form. `form_of` returns the chosen format."""
    command = click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help="[default: table]")(command)
    return click.option("--json", "as_json", is_flag=True, help="As JSON.")(command)


def form_of(as_json: bool, form: str | None) -> str:
    """Return the format that `--json` and `--format` choose; "table" if neither is given.

    Raises:
        UsageError: the two options choose different formats.
    """
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form}: choose one of them.")
    return "json" if as_json else form or "table"


def merged_filters(ctx: click.Context, wanted: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the filters of a command below `harness results`.

    A filter that the command itself does not have is taken from `harness results`, where it may stand before the
    command's name.
    """
    outer = ctx.parent.params if ctx.parent else {}
    return {name: wanted[name] or outer.get(name, ()) for name in wanted}


def inner_options(command: F) -> F:
    """Add `--format` and `--db` to a command below `harness results`. Both may also stand before the command's name."""
    what = "How to write it; may stand before the command's name."
    command = click.option("--db", help="Results database, if not the one given before the command's name.")(command)
    return click.option("--format", "-f", "format_", type=click.Choice(FORMATS), help=what)(command)


@contextmanager
def open_for_reading(db: str) -> Iterator[Store]:
    """Open the database for reading, and close it at the end of the context. Damage ends in a sentence."""
    from harness.discovery.stores import open_store, recorded_file

    plugins = installed()
    plugins.recall = partial(recorded_file, db, plugins)
    with closing(open_store(db, plugins, write=False)) as store, damage_told(store):
        yield store


@contextmanager
def damage_told(store: Store) -> Iterator[None]:
    """A context in which a database is read. After an error that nobody expected, the database is searched for damage.

    Raises:
        StoreError: the database is damaged, which made the error. Without damage, the error itself is raised: it is one
            of the program.
    """
    try:
        yield
    except (HarnessError, OSError, ImportError, click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        from harness.finish.recheck import recheck_totals

        damage = next(chain(store.check(), recheck_totals(store)), None)
        if damage is None:
            raise
        raise StoreError(
            f"the results database {without_passwords(store.url)} is damaged: {damage}. Restore it from a "
            "copy, or name another file; "
            "`harness doctor --database` says all that is wrong."
        ) from error


def print_profile(
    store: Store, form: str = "table", filters: Filters = _ALL, keys: Sequence[str] | None = None
) -> None:
    """Print where the time of experiments went.

    Args:
        store: an open store.
        form: one of `FORMATS`.
        filters: selects experiments by columns of the view `results`.
        keys: the experiments' keys; None for all experiments.
    """
    from harness.results.tables.profile import profile_table
    from harness.results.tables.results import print_table, results_table

    cells = results_table(store, keys, filters).cells
    table = profile_table(store, cells, long=form in ("csv", "json"))
    if table.rows:
        print_table(table, form)
    else:
        click.echo("no stages were measured of these experiments.", err=True)


def warn(text: str) -> None:
    """Print a warning on the standard error."""
    click.echo(clean(f"warning: {text}"), err=True)


def warn_unfinished(cells: Sequence[ResultCell], codecs: Collection[str] = ()) -> None:
    """Warn on the standard error which experiments are left out because they have not finished.

    Args:
        cells: the experiments.
        codecs: only experiments of these codecs and on uncompressed data are named; empty for all.
    """
    unfinished: dict[str, None] = {}
    for cell in cells:
        facts = cell.facts
        if facts["status"] != "finished" and (not codecs or facts["codec"] in (*codecs, "none")):
            level = "" if facts["level"] is None else f" at {facts['level_name']} {facts['level']:g}"
            unfinished[
                f"{facts['task']}, {facts['codec']}{level}, {facts['training']} ({facts['status'] or 'not begun'})"
            ] = None
    more = f"; and {len(unfinished) - _NAMED_IN_WARNING} more" if len(unfinished) > _NAMED_IN_WARNING else ""
    if unfinished:
        named = "; ".join(list(unfinished)[:_NAMED_IN_WARNING])
        click.echo(clean(f"warning: not finished, and left out: {named}{more}."), err=True)


def warn_superseded(cells: Sequence[ResultCell]) -> None:
    """Warn on the standard error which experiments a newer revision of a codec or reader would give differently."""
    counts = Counter(cell.superseded for cell in cells if cell.superseded)
    for reason, count in counts.items():
        what = f"{count} experiment{'s' if count > 1 else ''} of a superseded revision ({reason})"
        click.echo(clean(f"warning: {what}: run harness run again for results of the new one."), err=True)


def filters_of(store: Store, wanted: Mapping[str, Sequence[str]]) -> Filters:
    """Return the database filters for the given names. A name without options also matches it with any options.

    Args:
        store: an open store.
        wanted: names by column: task, codec, dataset and model.

    Raises:
        UsageError: the database has no result with one of the names.
    """
    from harness.results.cells import matching_names

    if not any(wanted.values()):
        return Filters()
    allowed: dict[str, list[str]] = {}
    for column, names in wanted.items():
        if not names:
            continue
        known = sorted(str(value) for (value,) in store.read("results", (column,), distinct=True))
        for name in names:
            matching = matching_names(name, known)
            allowed.setdefault(column, []).extend(matching)
            if not matching:
                hint = did_you_mean(name, known)
                raise UsageError(
                    f"the database has no results of {column} {name!r}.{hint} It has: {', '.join(known) or 'none'}."
                )
    return Filters(allowed)
