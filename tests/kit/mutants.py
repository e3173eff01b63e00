"""Plugins with one seeded fault each, by kind, and a sound plugin of each kind that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.testing import CodecPromises, ExecutorPromises, Promises
from harness_plugins.sql_store import SqlStore
from kit import (
    mutants_codec,
    mutants_dataset,
    mutants_executor,
    mutants_logger,
    mutants_model,
    mutants_store,
    mutants_task,
)
from kit.slow_plugin import ImportsTorch

__all__ = ["ALL", "SOUND", "Sound"]


@dataclass(frozen=True)
class Sound:
    """A sound plugin, and how a class like it is tested.

    Args:
        cls: the class, or function that makes it.
        mutants: classes with one fault each: `broken` names the promise, the docstring says what is wrong.
        tested: gives the class of the kit for a class of plugin.
        skipped: the promises that cannot be tried with it.
    """

    cls: Any
    mutants: list[Any]
    tested: Callable[[Any], type[Promises]]
    skipped: frozenset[str] = frozenset()


def made(base: type[Promises], **about: Any) -> Callable[[Any], type[Promises]]:
    """A function that gives a class of the kit which makes objects of a class without arguments."""
    return lambda cls: type("TestMade", (base,), {"make": lambda self: self.made_of(cls, {}), **about})


def given(base: type[Promises]) -> Callable[[Any], type[Promises]]:
    """The same for a kind that is not made with options."""
    return lambda cls: type("TestGiven", (base,), {"make": lambda self: cls()})


SOUND = {
    "codec": Sound(mutants_codec.SoundCodec, [*mutants_codec.MUTANTS, ImportsTorch], made(CodecPromises)),
    "task": Sound(mutants_task.SoundTask, mutants_task.MUTANTS, made(mutants_task.CountingPromises)),
    "dataset": Sound(mutants_dataset.SoundDataset, mutants_dataset.MUTANTS, made(mutants_dataset.CountsPromises)),
    "model": Sound(mutants_model.SoundModel, mutants_model.MUTANTS, made(mutants_model.RectanglesPromises)),
    "executor": Sound(mutants_executor.SoundExecutor, mutants_executor.MUTANTS, made(ExecutorPromises)),
    "store": Sound(SqlStore, mutants_store.MUTANTS, made(mutants_store.SqlitePromises)),
    "logger": Sound(
        mutants_logger.SoundLogger,
        mutants_logger.MUTANTS,
        given(mutants_logger.LinesPromises),
        frozenset({"it_imports_quickly"}),
    ),
}
ALL = [(kind, mutant) for kind, sound in SOUND.items() for mutant in sound.mutants]
