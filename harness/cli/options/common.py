"""Single options that several commands take, each from the command line or the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.discovery.registry import Registry, load
from harness.errors import UsageError

__all__ = [
    "FiniteRange",
    "data_root_option",
    "database_option",
    "fps_option",
    "make_registry",
    "registry_option",
    "resamples_option",
]

F = TypeVar("F", bound=Callable[..., Any])

DATABASE = "sqlite:///harness.db"

if TYPE_CHECKING:
    _RootType = click.ParamType[tuple[str, str]]
else:
    _RootType = click.ParamType


class _DataRoot(_RootType):
    """PATH, or NAME=PATH, as (name, path); the name of a plain path is "". The environment's are a list, like PATH."""

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


def _one_root_each(_: click.Context, __: click.Parameter, roots: tuple[tuple[str, str], ...]) -> Any:
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
    """`--data-root`: (dataset name, folder) pairs, at most one for each name and one under ""."""
    return click.option(
        "--data-root",
        multiple=True,
        type=_DataRoot(),
        envvar="HARNESS_DATA",
        callback=_one_root_each,
        metavar="[NAME=]PATH",
        help="Where datasets are: PATH (or a folder of that dataset's name in it), or NAME=PATH; repeatable.",
    )(command)


class FiniteRange(click.FloatRange):
    """A range of numbers, among which NaN and infinity are not: click lets NaN into any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


def fps_option(command: F) -> F:
    """`--fps`."""
    what = "Frames a second of a camera, for kbit/s and GB a day."
    return click.option("--fps", type=FiniteRange(0, min_open=True), help=what)(command)


def database_option(command: F) -> F:
    """`--db`."""
    return click.option(
        "--db", envvar="HARNESS_DB", default=DATABASE, show_default=True, help="Results database: a URL or a file."
    )(command)


def resamples_option(command: F) -> F:
    """`--resamples`."""
    return click.option(
        "--resamples",
        type=click.IntRange(100),
        default=1000,
        show_default=True,
        help="From how many the intervals are computed.",
    )(command)


def registry_option(command: F) -> F:
    """`--registry`."""
    return click.option(
        "--registry",
        "registries",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Overlay the shipped registry (default: registry.toml here, if there is one).",
    )(command)


def make_registry(registries: tuple[Path, ...]) -> Registry:
    """The registry with the overlays that were asked for."""
    return load(registries or None)
