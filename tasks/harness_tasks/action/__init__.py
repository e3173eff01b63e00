"""Action recognition: the task with its metrics, models and dataset formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.task import Task


@hookimpl
def harness_tasks() -> Iterable[type[Task]]:
    from harness_tasks.action.task import Action

    return [Action]
