"""Creates the task of a recorded experiment again, to compute metrics from the stored statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.statistics.agreement import Agreement

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.task import Task

__all__ = ["changed_task", "made_by", "task_of"]


def task_of(identity: Mapping[str, Any], classes: Sequence[str], plugins: Plugins) -> Task:
    """Create the task of a recorded experiment, with the options that the experiment was scored with.

    If the experiment's reference was the model's own predictions, the task is wrapped in `Agreement`.

    Args:
        identity: the experiment's identity (`Store.identities`).
        classes: the experiment's class names.
        plugins: the installed plugins.

    Raises:
        UnknownNameError: no installed plugin has the task.
    """
    recorded = identity["task"]
    task: Task = plugins.get("task", recorded["name"])(classes=tuple(classes), **recorded["options"])
    return Agreement(task) if identity.get("reference") == "predictions" else task


def changed_task(identity: Mapping[str, Any], plugins: Plugins) -> str | None:
    """Return how the installed task differs from the one that a recorded experiment was scored by; None if it does not.

    Tasks of the harness reduce the statistics of all versions to the same values. One of a third party counts by the
    digest of its source.

    Raises:
        UnknownNameError: no installed plugin has the task.
        PluginError: the source cannot be read.
    """
    recorded = identity["task"]
    provided = plugins.provided("task", recorded["name"])
    if provided.source is None or provided.source == recorded.get("source"):
        return None
    return f"task {provided.name} of {provided.origin} has another source now"


def made_by(identity: Mapping[str, Any], plugins: Plugins) -> str:
    """Return the distribution that provides the task of a recorded experiment, with its version, as text.

    The digest of the source follows, if the task is of a third-party plugin: its author may edit it within a version.

    Raises:
        UnknownNameError: no installed plugin has the task.
        PluginError: the source cannot be read.
    """
    provided = plugins.provided("task", identity["task"]["name"])
    return str(provided.origin) + (f", source {provided.source}" if provided.source else "")
