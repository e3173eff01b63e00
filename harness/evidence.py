"""From a recorded experiment back to the task that judged it, which computes anything anew from stored statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.agreement import Agreement
from harness.task import class_metrics

if TYPE_CHECKING:
    from harness.plugin_manager import Plugins
    from harness.result_cells import Cell
    from harness.store import Store
    from harness.task import Task

__all__ = ["classes_of", "task_of"]


def task_of(identity: Mapping[str, Any], classes: Sequence[str], plugins: Plugins) -> Task:
    """The task of an experiment, with the options it was judged by.

    Args:
        identity: of the experiment (`Store.identities`).
        classes: the names of its classes (`classes_of`).
        plugins: of this environment.

    Raises:
        UnknownNameError: no installed plugin has the task.
    """
    asked = identity["task"]
    task: Task = plugins.get("task", asked["name"])(classes=tuple(classes), **asked["options"])
    return Agreement(task) if identity.get("reference") == "predictions" else task


def classes_of(store: Store, cells: Sequence[Cell]) -> dict[str, tuple[str, ...]]:
    """The classes of each experiment, by its key.

    Where the store does not have them (an earlier version finished the experiment), as many as its metrics know: a task
    that has a metric for each class names it NAME[class].
    """
    known = store.classes([cell.facts["experiment"] for cell in cells])
    return {cell.facts["experiment"]: known.get(cell.facts["experiment"]) or _from_metrics(cell) for cell in cells}


def _from_metrics(cell: Cell) -> tuple[str, ...]:
    return tuple(name.partition("[")[2].removesuffix("]") for name in class_metrics(cell.metrics))
