"""The kinds of things that plugins provide, each with the contract that it keeps."""

from __future__ import annotations

from typing import Any

__all__ = ["KINDS", "base_of"]

KINDS = ("codec", "task", "model", "dataset", "store", "executor")
"""Each is provided by the hook `harness_<kind>s`."""


def base_of(kind: str) -> type[Any]:
    """The class that every object of a kind inherits from."""
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
