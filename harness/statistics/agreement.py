"""A task judged against the model's own output on uncompressed frames: what compression changes, without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.task import Metric, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["PREFIX", "Agreement"]

PREFIX = "agreement "
"""Before the name of every metric: such a value is never to be taken for one against labels."""


class Agreement(Task):
    """Another task, whose targets are what the model predicts on the uncompressed frames (`Task.as_target`).

    Scores and statistics are that task's, so identical predictions have the best value that each metric knows: 1 of an
    average precision, 0 of an error. It does not say whether the model is right.

    Args:
        task: the task.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.config, self.classes = task, task.config, task.classes
        # What a task's class says of itself, this one's objects say each of the task they wrap.
        same = ("name", "summary", "options", "scoring_version", "draws_over")
        vars(self).update({fact: getattr(task, fact) for fact in same})
        vars(self)["metrics"] = tuple(map(_renamed, task.metrics))
        vars(self)["sample_metric"] = _renamed(task.sample_metric)

    def all_metrics(self) -> tuple[Metric, ...]:
        return tuple(map(_renamed, self.task.all_metrics()))

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        return {title: tuple(PREFIX + name for name in names) for title, names in self.task.breakdowns().items()}

    def score(self, prediction: Any, target: Any) -> Statistics:
        return self.task.score(prediction, target)

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        return {PREFIX + name: values for name, values in self.task.reduce(statistics, weights).items()}

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Callable[[Any], Any]:
        return self.task.translator(model_classes, dataset)

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        return []

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        return self.task.sample_score(statistics)

    def as_target(self, prediction: Any) -> Any:
        return self.task.as_target(prediction)

    def draw(self, image: NDArray[np.uint8], prediction: Any) -> NDArray[np.uint8]:
        return self.task.draw(image, prediction)

    def draw_target(self, image: NDArray[np.uint8], target: Any) -> NDArray[np.uint8]:
        return self.task.draw_target(image, target)

    def legend(self) -> Sequence[tuple[str, tuple[int, int, int]]]:
        return self.task.legend()

    def enlarged(self, result: Any, times: int) -> Any:
        return self.task.enlarged(result, times)


def _renamed(metric: Metric) -> Metric:
    described = f"against the model's own output on uncompressed frames: {metric.description}"
    return replace(metric, name=PREFIX + metric.name, description=described)
