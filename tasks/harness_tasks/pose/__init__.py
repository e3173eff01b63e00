"""Human pose estimation: the task with its metrics and models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.task import Task


@hookimpl
def harness_tasks() -> Iterable[type[Task]]:
    from harness_tasks.pose.task import Pose

    return [Pose]
