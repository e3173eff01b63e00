"""A task that is scored against the model's own predictions on uncompressed frames instead of against labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.task import Metric, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.task import Reducer, Statistics

__all__ = ["PREFIX", "Agreement"]

PREFIX = "agreement "
"""The prefix of every metric's name. It distinguishes these values from values against labels."""


class Agreement(Task):
    """Wraps a task so that the targets are the model's own predictions on the uncompressed frames (`Task.as_target`).

    Scores and statistics are computed by the wrapped task. Predictions that compression does not change therefore get
    the best value of each metric: 1 for an average precision, 0 for an error. The metrics do not show whether the model
    is right.

    Args:
        task: the task to wrap.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.config, self.classes = task, task.config, task.classes
        # A task declares these attributes in its class. An Agreement object copies them from the task that it wraps.
        copied = ("name", "summary", "options", "scoring_version", "judges", "draws_over")
        vars(self).update({attribute: getattr(task, attribute) for attribute in copied})
        vars(self)["metrics"] = tuple(map(_with_prefix, task.metrics))
        vars(self)["sample_metric"] = _with_prefix(task.sample_metric)

    def all_metrics(self) -> tuple[Metric, ...]:
        return tuple(map(_with_prefix, self.task.all_metrics()))

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        return {title: tuple(PREFIX + name for name in names) for title, names in self.task.breakdowns().items()}

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        self.task.check_prediction(prediction, size, classes)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        self.task.check_target(target, size)

    def score(self, prediction: Any, target: Any) -> Statistics:
        return self.task.score(prediction, target)

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        return {PREFIX + name: values for name, values in self.task.reduce(statistics, weights).items()}

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        wanted = None if metrics is None else {name.removeprefix(PREFIX) for name in metrics}
        reduce = self.task.reducer(statistics, wanted)
        return lambda weights: {PREFIX + name: values for name, values in reduce(weights).items()}

    def hits(self, statistics: Sequence[Statistics]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        return ((PREFIX + name, scores) for name, scores in self.task.hits(statistics))

    def counted(self, statistics: Sequence[Statistics]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        return ((PREFIX + name, frames) for name, frames in self.task.counted(statistics))

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


def _with_prefix(metric: Metric) -> Metric:
    description = f"against the model's own output on uncompressed frames: {metric.description}"
    return replace(metric, name=PREFIX + metric.name, description=description)
