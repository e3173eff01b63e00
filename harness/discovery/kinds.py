"""The kinds of classes that plugins provide (codec, task, ...), and the base class of each kind."""

from __future__ import annotations

from typing import Any

__all__ = ["KINDS", "base_of"]

KINDS = ("codec", "task", "model", "dataset", "store", "executor")
"""Plugins provide the classes of a kind by the hook `harness_<kind>s`."""


def base_of(kind: str) -> type[Any]:
    """Return the base class of a kind, from which every class of the kind is derived."""
    from harness.codec import Codec
    from harness.dataset import Dataset
    from harness.executor import Executor
    from harness.model import Model
    from harness.store import Store
    from harness.task import Task

    bases: dict[str, type[Any]] = {
        "codec": Codec,
        "task": Task,
        "model": Model,
        "dataset": Dataset,
        "store": Store,
        "executor": Executor,
    }
    return bases[kind]
