"""Checks what plugins say of themselves before a run: whether they work here, and what decides their results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, PluginError, found, plain_text
from harness.keep.before import answered

if TYPE_CHECKING:
    from harness.codec import Codec
    from harness.dataset import Dataset
    from harness.options import Configured
    from harness.task import Task

__all__ = [
    "MOST_SAMPLES",
    "check_class_names",
    "check_metrics",
    "checked_fingerprint",
    "checked_length",
    "plain_facts",
    "why_disabled",
]

MOST_SAMPLES = 20_000_000
"""How many samples a dataset may have. A plan of so many takes gigabytes; a longer one would end the run for memory."""


def why_disabled(codec: Codec, fingerprint: bool = True) -> str | None:
    """Return why a codec cannot be used on this machine; None if it can.

    A codec whose `available`, `fingerprint` or `clips_only` raises, or gives what it may not, is disabled by that.

    Args:
        codec: the codec.
        fingerprint: whether its fingerprint is asked for, which may import large libraries.
    """
    try:
        for what, call in (("available", codec.available), ("clips_only", codec.clips_only)):
            said = answered(f"codec {codec.name!r}", f"{what}()", partial(_called, what, call))
            if not isinstance(said, str | None):
                raise PluginError(f"its {what}() gave {found(said)}; None or a sentence is expected.")
            if said and what == "available":
                return plain_text(said)
        if fingerprint:
            answered(f"codec {codec.name!r}", "fingerprint()", lambda: _plain("fingerprint", codec.fingerprint))
    except PluginError as error:
        return str(error)
    return None


def plain_facts(kind: str, plugin: Configured, *functions: str) -> None:
    """Check that functions of a model or a dataset, which decide an experiment's key, give plain JSON.

    Args:
        kind: "model" or "dataset".
        plugin: the model or the dataset.
        functions: the functions' names: each returns a mapping.

    Raises:
        PluginError: a function raised an error, or gave anything else.
    """
    for name in functions:
        try:
            _plain(name, getattr(plugin, name))
        except PluginError as error:
            raise PluginError(f"{kind} {plugin.name}: {error}") from error


def check_class_names(dataset: Dataset) -> None:
    """Check the classes of an opened dataset.

    Raises:
        PluginError: they are no tuple of texts.
    """
    if not isinstance(dataset.classes, tuple | list):
        raise PluginError(f"dataset {dataset.name}: its classes are {found(dataset.classes)}; a tuple is expected.")
    for name in dataset.classes:
        _check_text(dataset, "classes", name)


def checked_fingerprint(dataset: Dataset) -> str:
    """Return the fingerprint of an opened dataset.

    Raises:
        PluginError: it is no text.
    """
    fingerprint = dataset.fingerprint()
    _check_text(dataset, "fingerprint()", fingerprint)
    return fingerprint


def checked_length(dataset: Dataset) -> int:
    """Return the number of samples of an opened dataset.

    Raises:
        PluginError: its `__len__` raised an error, or gave no number from 0 to `MOST_SAMPLES`.
    """
    try:
        length = len(dataset)
    except (Exception, SystemExit) as error:
        problem = f"dataset {dataset.name}: its length cannot be had: {type(error).__name__}: {plain_text(error)}"
        raise PluginError(problem) from error
    if length > MOST_SAMPLES:
        raise PluginError(
            f"dataset {dataset.name}: its length is {length}; at most {MOST_SAMPLES} samples can be planned."
        )
    return length


def check_metrics(task: Task) -> None:
    """Check that a task's metrics have different names, and that one of them is primary.

    Raises:
        PluginError: they do not.
    """
    metrics = task.all_metrics()
    names = [metric.name for metric in metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PluginError(f"task {task.name}: two of its metrics are called {twice[0]!r}.")
    if (primary := sum(metric.primary for metric in metrics)) != 1:
        raise PluginError(f"task {task.name}: {primary} of its {len(metrics)} metrics are primary; one is expected.")


def _check_text(dataset: Dataset, what: str, value: Any) -> None:
    """Check that a value is a text that can be stored."""
    if not isinstance(value, str) or plain_text(value) != value:
        raise PluginError(f"dataset {dataset.name}: its {what} gave {found(value)}; a text is expected.")


def _called(what: str, call: Callable[[], Any]) -> Any:
    """Return what a plugin's function gives.

    Raises:
        PluginError: it raised an error.
    """
    try:
        return call()
    except HarnessError as error:
        raise PluginError(f"its {what}() raised: {plain_text(error)}") from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"its {what}() raised {type(error).__name__}: {plain_text(error)}") from error


def _plain(what: str, call: Callable[[], Any]) -> None:
    """Check that a plugin's function gives a mapping of plain JSON values.

    Raises:
        PluginError: it does not.
    """
    facts = _called(what, call)
    if not isinstance(facts, Mapping):
        raise PluginError(f"its {what}() gave {found(facts)}; a mapping is expected.")
    try:
        json.dumps(dict(facts), sort_keys=True, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginError(f"its {what}() is no plain JSON: {plain_text(error)}.") from error
