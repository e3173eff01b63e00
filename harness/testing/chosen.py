"""Chooses the class of the kit for an installed plugin, and what it is tried with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.discovery.kinds import KINDS
from harness.discovery.plugins import installed
from harness.discovery.registry import load_registry
from harness.errors import UnknownNameError, UsageError
from harness.testing.codec import CodecPromises
from harness.testing.dataset import DatasetPromises
from harness.testing.executor import ExecutorPromises
from harness.testing.logger import EVENTS, LoggerPromises
from harness.testing.store import StorePromises
from harness.testing.task import TaskPromises
from harness.testing.tools.base import Promises
from harness.testing.training import ModelPromises

__all__ = ["KIT", "kinds_of", "promises_for"]

KIT: dict[str, type[Promises]] = {
    "codec": CodecPromises,
    "task": TaskPromises,
    "model": ModelPromises,
    "dataset": DatasetPromises,
    "store": StorePromises,
    "executor": ExecutorPromises,
    "logger": LoggerPromises,
}
"""The class of the kit for each kind."""


def kinds_of(name: str) -> list[str]:
    """Return the kinds in which an installed plugin has a name. A logger's is its entry point.

    Raises:
        UnknownNameError: there is none.
    """
    plugins = installed()
    found = [kind for kind in KINDS if name in plugins.names(kind)]
    if not found and name in loggers():
        found = ["logger"]
    if not found:
        known = {*loggers(), *(one for kind in KINDS for one in plugins.names(kind))}
        hint = "Install its package first (pip install -e .), or give its file with --plugin."
        hints = filter(None, [plugins.why_unknown("plugin", name), hint])
        raise UnknownNameError("plugin", name, known, " ".join(hints))
    return found


def loggers() -> list[str]:
    """Return the entry points of the plugins that have a hook of a run."""
    plugins = installed()
    return [
        plugin.origin.entry_point
        for label, plugin in plugins.plugins.items()
        if plugin.works and any(callable(getattr(plugins.module(label), event, None)) for event in EVENTS)
    ]


def promises_for(
    spec: str,
    kind: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    weights: str | None = None,
    root: Path | None = None,
) -> type[Promises]:
    """Return a class of the kit that tests an installed plugin.

    Args:
        spec: the plugin's name, with options (`name:key=value`).
        kind: its kind; None if there is only one of the name.
        dataset: what a model is tried on, or a task's examples are taken from; None for a dataset without files that
            serves the task, if there is one.
        model: the model whose predictions are a task's examples; None for one that comes with its weights.
        weights: a model's weights; None for its own.
        root: the folder of the dataset.

    Raises:
        UsageError: the name is unknown, or belongs to several kinds.
    """
    name = spec.partition(":")[0]
    kinds = kinds_of(name)
    if kind is None and len(kinds) > 1:
        raise UsageError(f"{name} is a {' and a '.join(kinds)}: say which by --kind.")
    if kind is not None and kind not in kinds:
        raise UsageError(f"there is no {kind} {name}; {name} is a {' and a '.join(kinds)}.")
    chosen = kind or kinds[0]
    about: dict[str, Any] = {"spec": spec}
    plugins = installed()
    dataset = _kind_of(dataset) if dataset else None
    if chosen == "model":
        task = plugins.get("model", name).task
        about |= {"dataset": dataset or _dataset(task), "weights": weights, "root": root}
    elif chosen == "dataset":
        if root is None and plugins.get("dataset", name).needs_root:
            raise UsageError(f"dataset {name} reads files: give a folder with some by --data-root.")
        about["root"] = root
    elif chosen == "task":
        found = model or _model(name)
        about |= {"dataset": dataset or _dataset(name), "model": found}
    return type(f"Test{chosen.capitalize()}", (KIT[chosen],), about)


def _kind_of(dataset: str) -> str:
    """Return the dataset that a name of the registry stands for ("demo"), with the options that are written."""
    name, separator, options = dataset.partition(":")
    entry = load_registry(None, installed().registries()).entry("datasets", name)
    return f"{entry.get('kind', name)}{separator}{options}"


def _dataset(task: str) -> str:
    """Return a dataset that serves a task and needs no files; "" if there is none."""
    fitting = [one.name for one in installed().all("dataset") if task in one.cls.tasks and not one.cls.needs_root]
    return min(fitting, default="")


def _model(task: str) -> str:
    """Return a model of a task that comes with its weights; "" if there is none."""
    models = [one for one in installed().all("model") if one.cls.task == task]
    return next((one.name for one in models if isinstance(one.cls.own_weights, Path)), "")
