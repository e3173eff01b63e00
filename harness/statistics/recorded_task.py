"""From a recorded experiment back to the task that judged it, which computes anything anew from stored statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.statistics.agreement import Agreement

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.task import Task

__all__ = ["task_of"]


def task_of(identity: Mapping[str, Any], classes: Sequence[str], plugins: Plugins) -> Task:
    """The task of an experiment, with the options it was judged by.

    Args:
        identity: of the experiment (`Store.identities`).
        classes: the names of its classes.
        plugins: of this environment.

    Raises:
        UnknownNameError: no installed plugin has the task.
    """
    asked = identity["task"]
    task: Task = plugins.get("task", asked["name"])(classes=tuple(classes), **asked["options"])
    return Agreement(task) if identity.get("reference") == "predictions" else task
