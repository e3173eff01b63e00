"""The contract of a task: its metrics, and the pair `score` / `reduce` that carries the whole design.

`score` turns one scored frame into *sufficient statistics* (a confusion matrix, sums of errors, detections with what
they matched); `reduce` turns any weighted set of them into metrics. From the pair come exact metrics of a dataset,
shards that merge without loss, resuming, and intervals by resampling without running a model again. A complete task::

    class Counting(Task):
        name = "counting"
        metrics = (Metric("mae", higher_is_better=False, primary=True, description="mean absolute error"),)

        def score(self, prediction, target):                      # numbers of objects
            return {"error": np.array(abs(prediction - target), np.float64)}

        def reduce(self, statistics, weights=None):               # weights float64[R, N]
            errors = np.array([s["error"] for s in statistics])
            weights = np.ones((1, len(errors))) if weights is None else weights
            return {"mae": weights @ errors / weights.sum(axis=1)}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from harness.options import Configured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Metric", "Statistics", "Task", "class_metrics"]

Statistics: TypeAlias = "Mapping[str, NDArray[Any]]"
"""The sufficient statistics of one scored frame: named arrays of plain dtypes. (A text at run time.)"""


@dataclass(frozen=True)
class Metric:
    """A metric of a task.

    Args:
        name: as the field writes it: "AP", "mIoU", "rmse".
        higher_is_better: its direction.
        primary: whether it is the one metric to look at first; a task has one.
        unit: "" for a ratio in 0-1.
        description: one line, with the source of the definition.
        interval: whether to compute an interval (per-class values may be too many).
    """

    name: str
    higher_is_better: bool = True
    primary: bool = False
    unit: str = ""
    description: str = ""
    interval: bool = True


class Task(Configured, ABC):
    """What a model does, and how well it does it.

    Class attributes:
        metrics: the task's metrics, one of them primary.
        scoring_version: part of every experiment's key: raised when `score` changes what it means.
        sample_metric: what `sample_score` is called, its unit, and its direction.
        draws_over: whether `draw` leaves the image to be seen; a panel shows it beside what hides it.

    Attributes:
        classes: the dataset's classes, which the targets' labels index.
    """

    metrics: ClassVar[tuple[Metric, ...]]
    scoring_version: ClassVar[int] = 1
    sample_metric: ClassVar[Metric] = Metric("score")
    draws_over: ClassVar[bool] = True

    def __init__(self, classes: tuple[str, ...] = (), **options: object) -> None:
        super().__init__(**options)
        self.classes = classes

    def all_metrics(self) -> tuple[Metric, ...]:
        """The metrics for these classes: `metrics`, and those that a class adds (per-class values)."""
        return self.metrics

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """What shows where a model fails: names of `all_metrics` in groups that have a title, for reports.

        The default has one group, `classes`: the first metric that there is of each class (NAME[class]).
        """
        found = class_metrics(metric.name for metric in self.all_metrics())
        return {"classes": found} if found else {}

    @abstractmethod
    def score(self, prediction: Any, target: Any) -> Statistics:
        """The sufficient statistics of one scored frame."""

    @abstractmethod
    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """The metrics of R weighted sets of N scored frames.

        Args:
            statistics: N, in dataset order (the caller sorts, so that ties break the same way every time).
            weights: float64[R, N], how often each frame counts in each set; None is once each (R = 1). Whole
                numbers in a resample.

        Returns:
            float64[R] for each name of `all_metrics`; NaN where a metric is undefined (no object of the kind).
        """

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Callable[[Any], Any]:
        """What turns a prediction in the model's classes into one in the dataset's (`self.classes`).

        Raises:
            WeightsError: the classes have nothing in common. The default asks for equal classes.
        """
        from harness.errors import WeightsError

        if model_classes != self.classes:
            raise WeightsError(
                f"the weights know the classes {', '.join(model_classes)}, dataset {dataset} has "
                f"{', '.join(self.classes)}."
            )
        return lambda prediction: prediction

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """What a user should know of the way from the model's classes to the dataset's: sentences for warnings."""
        return []

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """One number that says how well a sample went (for sorting samples), or None."""
        return None

    def as_target(self, prediction: Any) -> Any:
        """The model's own output as a reference, for users without labels."""
        raise NotImplementedError(f"task {self.name} takes no predictions as reference")

    def draw(self, image: NDArray[np.uint8], prediction: Any) -> NDArray[np.uint8]:
        """The prediction drawn on a copy of the image, uint8[H, W, 3] (RGB)."""
        raise NotImplementedError(f"task {self.name} cannot draw")

    def draw_target(self, image: NDArray[np.uint8], target: Any) -> NDArray[np.uint8]:
        """The truth drawn on a copy of the image, uint8[H, W, 3] (RGB), as `draw` draws a prediction."""
        raise NotImplementedError(f"task {self.name} cannot draw its truth")

    def legend(self) -> Sequence[tuple[str, tuple[int, int, int]]]:
        """What the colours of the drawings stand for, with each colour (RGB), where the drawings do not say it."""
        return ()

    def enlarged(self, result: Any, times: int) -> Any:
        """A prediction or a target as it lies in the image enlarged so many times: coordinates multiplied, maps
        repeated. So that what is drawn into a small image is as fine as in a large one; without it, the drawing is
        enlarged.
        """
        raise NotImplementedError(f"task {self.name} cannot enlarge")


def class_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Of metrics of classes (NAME[class]) all that have the name of the first one.

    >>> class_metrics(["mIoU", "IoU[road]", "precision[road]", "IoU[car]"])
    ('IoU[road]', 'IoU[car]')
    """
    named = [name for name in names if "[" in name]
    return tuple(name for name in named if name.partition("[")[0] == named[0].partition("[")[0])
