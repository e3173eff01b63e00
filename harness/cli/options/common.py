"""Options that several commands share: decorators that add `--data-root`, `--db`, `--registry` and others."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.discovery.plugins import installed
from harness.discovery.registry import Registry, load_registry
from harness.errors import UsageError

__all__ = [
    "DATABASE",
    "FiniteRange",
    "data_root_option",
    "database_option",
    "fps_option",
    "make_registry",
    "registry_option",
    "resamples_option",
    "shard_option",
]

F = TypeVar("F", bound=Callable[..., Any])

DATABASE = "sqlite:///harness.db"
"""The database of a command that is given none."""
MOST_RESAMPLES = 1_000_000
"""More than these fill the memory, and change no digit that is shown."""

if TYPE_CHECKING:
    from harness.planning.shards import Shard

    _RootType = click.ParamType[tuple[str, str]]
else:
    _RootType = click.ParamType


class _DataRoot(_RootType):
    """Parses PATH or NAME=PATH into (name, path); the name of a plain PATH is "".

    The environment variable holds a list, separated as in the variable PATH.
    """

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


def _check_unique(_: click.Context, __: click.Parameter, roots: tuple[tuple[str, str], ...]) -> Any:
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
    """Add `--data-root`: pairs of dataset name and folder, at most one for each name and one for the name ""."""
    return click.option(
        "--data-root",
        multiple=True,
        type=_DataRoot(),
        envvar="HARNESS_DATA",
        callback=_check_unique,
        metavar="[NAME=]PATH",
        help="Where datasets are: PATH (or a folder of that dataset's name in it), or NAME=PATH; repeatable.",
    )(command)


class FiniteRange(click.FloatRange):
    """A range of finite numbers. Click itself accepts NaN in any range; this class refuses NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


def fps_option(command: F) -> F:
    """Add `--fps`, the frame rate of a camera."""
    what = "Frames a second of a camera, for kbit/s and GB a day."
    return click.option("--fps", type=FiniteRange(0, min_open=True), help=what)(command)


def database_option(command: F) -> F:
    """Add `--db`, the results database."""
    return click.option(
        "--db", envvar="HARNESS_DB", default=DATABASE, show_default=True, help="Results database: a URL or a file."
    )(command)


def resamples_option(command: F) -> F:
    """Add `--resamples`, the number of resamples for intervals."""
    return click.option(
        "--resamples",
        type=click.IntRange(100, MOST_RESAMPLES),
        default=1000,
        show_default=True,
        help="From how many the intervals are computed.",
    )(command)


def registry_option(command: F) -> F:
    """Add `--registry`, files that overlay the shipped registry."""
    return click.option(
        "--registry",
        "registries",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Overlay the shipped registry (default: registry.toml here, if there is one).",
    )(command)


def make_registry(registries: tuple[Path, ...]) -> Registry:
    """Return the shipped registry, what plugins add, and the given overlays over them.

    Without overlays, registry.toml of the current folder is taken.
    """
    return load_registry(registries or None, installed().registries())


def shard_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--shard`, whose value is a `harness.planning.shards.Shard`."""

    def parsed(context: click.Context, parameter: click.Parameter, value: str | None) -> Shard | None:
        from harness.planning.shards import parse_shard

        return None if value is None else parse_shard(value)

    text = "Do the K-th of N equal parts of the plan, for a job of its own; `harness results merge` joins the parts."
    return click.option("--shard", metavar="K/N", callback=parsed, help=text)(command)
