"""The interface that every task implements: its metrics, and the two functions `score` and `reduce`.

`score` computes the *sufficient statistics* of one scored frame (a confusion matrix, sums of errors, detections with
their matches). `reduce` computes the metrics from the statistics of any weighted set of frames. These two functions
give exact metrics of a dataset. Shards can be merged without loss, an interrupted run can be resumed, and confidence
intervals can be computed by resampling without running the model again. A complete task::

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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from harness.options import Configured

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.dataset import KeptFrame

    Statistics: TypeAlias = Mapping[str, NDArray[Any]]
    """The sufficient statistics of one scored frame: named arrays of plain dtypes."""

    Reducer: TypeAlias = Callable[[NDArray[np.float64] | None], dict[str, NDArray[np.float64]]]
    """`Task.reduce` for certain frames: a function of the weights, float64[R, N] or None."""

__all__ = ["Metric", "Reducer", "Statistics", "Task", "class_metrics"]


def __getattr__(name: str) -> object:
    """Make the types of arrays when they are asked for: importing this module does not import NumPy."""
    if name not in ("Reducer", "Statistics"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import numpy as np
    from numpy.typing import NDArray

    if name == "Statistics":
        return Mapping[str, NDArray[Any]]
    return Callable[[NDArray[np.float64] | None], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Metric:
    """A metric of a task.

    Args:
        name: the usual name in the literature: "AP", "mIoU", "rmse".
        higher_is_better: whether a larger value is better.
        primary: whether this is the task's main metric; each task has exactly one.
        unit: the unit; "" for a ratio in 0-1.
        description: one line, with the source of the definition.
        interval: whether to compute a confidence interval (there may be too many per-class values for that).
    """

    name: str
    higher_is_better: bool = True
    primary: bool = False
    unit: str = ""
    description: str = ""
    interval: bool = True


class Task(Configured, ABC):
    """Base class of tasks: what a model has to do, how its predictions are scored, and how they are drawn.

    Class attributes:
        metrics: the task's metrics; one of them is primary.
        scoring_version: part of every experiment's key. Increase it when `score` changes its results.
        sample_metric: the name, the unit and the direction of `sample_score`.
        judges: what a target belongs to: "frames" (its frame), or "clips" (the whole clip; it is stored at frame 0).
            With `fps=` the targets of a clip's first frames are not judged; those of whole clips always are.
        draws_over: whether the image stays visible under the drawing of `draw`. If not, a panel shows the image beside
            the drawing.
        tells: the names of the hints that a target tells (`hint`): "boxes" of persons, for example.
        predictions_as: the ending of the file that `write_predictions` writes (".json"), "/" for a folder of files; ""
            for a task without it, whose predictions cannot be kept.
        suspects: what is usually wrong if a model scores at chance: words that follow "Usually wrong are".

    Attributes:
        classes: the dataset's classes; the targets' labels are indices into it.
    """

    metrics: ClassVar[tuple[Metric, ...]]
    scoring_version: ClassVar[int] = 1
    judges: ClassVar[Literal["frames", "clips"]] = "frames"
    sample_metric: ClassVar[Metric] = Metric("score")
    draws_over: ClassVar[bool] = True
    tells: ClassVar[tuple[str, ...]] = ()
    predictions_as: ClassVar[str] = ""
    suspects: ClassVar[str] = (
        "the classes (other ones, or in another order), the normalisation of the pixels (mean and deviation, 0-1 or "
        "0-255), the order of the colours (RGB or BGR), or the weights (of another network or data set)"
    )

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "reduce" in vars(cls):
            # A parent's `reducer`, `hits` and `counted` do not know the `reduce` of this class.
            for name in ("reducer", "hits", "counted"):
                if name not in vars(cls):
                    setattr(cls, name, getattr(Task, name))

    def __init__(self, classes: tuple[str, ...] = (), **options: object) -> None:
        super().__init__(**options)
        self.classes = classes

    def all_metrics(self) -> tuple[Metric, ...]:
        """Return the metrics for these classes: `metrics`, and the per-class metrics if the task has any."""
        return self.metrics

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """Return groups of metrics that show where a model fails, for reports: group title -> names of metrics.

        The names are from `all_metrics`. The default returns one group, `classes`, with the first per-class metric
        (NAME[class]) for every class; without per-class metrics it returns no group.
        """
        per_class = class_metrics(metric.name for metric in self.all_metrics())
        return {"classes": per_class} if per_class else {}

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check that a prediction has the task's type, and values that a model can mean.

        The engine calls it once for each scored frame, before the prediction is translated and scored. So `score` may
        rely on what is checked here. Runs in a worker, beside the device: it should take microseconds. The default
        checks nothing.

        Args:
            prediction: what `Model.predict` gave for one frame.
            size: height and width of the source frame in pixels.
            classes: the number of the model's classes.

        Raises:
            ContentError: the message begins with the field ("labels: 1 of 12 values is outside 0-79: -1"). The
                engine adds the model, its plugin and the sample, and records the sample as failed.
        """

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check that a target has the task's type, and labels of the dataset's classes (`self.classes`).

        The engine calls it once for each target, when the sample is read. The default checks nothing.

        Args:
            target: what the dataset gave for one frame.
            size: height and width of the frame in pixels.

        Raises:
            ContentError: the message begins with the field. The engine adds the dataset, its plugin and the sample, and
                records the sample as failed in every experiment.
        """

    @abstractmethod
    def score(self, prediction: Any, target: Any) -> Statistics:
        """Return the sufficient statistics of one scored frame. Runs in a worker, beside the device.

        Raises:
            ContentError: the prediction is wrong in a way that shows only beside the target.
        """

    @abstractmethod
    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return the metrics of R weighted sets of N scored frames.

        Args:
            statistics: the statistics of the N frames, in dataset order. The caller sorts them, so that ties always
                break in the same way.
            weights: float64[R, N]: how often each frame counts in each set. None counts every frame once (R = 1). In a
                resample the weights are whole numbers.

        Returns:
            float64[R] for each name in `all_metrics`; NaN where a metric is undefined (for example, a class without
            any object).
        """

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return a function that calls `reduce` with these frames, for several calls with different weights.

        The default does only that. A task can override it, to prepare the frames once, or to compute only the metrics
        that are wanted. The values must be those of `reduce`, to the last bit. Several threads call the function at
        the same time.

        Args:
            statistics: the statistics of the N frames, in dataset order.
            metrics: the names of the metrics that are wanted; None for all. The function may return other ones too.
        """
        return lambda weights: self.reduce(statistics, weights)

    def hits(self, statistics: Sequence[Statistics]) -> Iterable[tuple[str, NDArray[np.float64]]]:
        """Return, for each metric that is a share of right frames, which frames are right.

        For such a metric (top-1, for example) the standard error says little where few frames are wrong, so its
        intervals are computed from the counts. The mean of the scores must be the metric's value of `reduce`.

        Args:
            statistics: the statistics of the N frames, in dataset order.

        Returns:
            pairs of a metric's name and float64[N]: 1 for a right frame, 0 for a wrong one, and NaN for a frame that
            does not count, for example of another class. The default returns none.
        """
        return ()

    def counted(self, statistics: Sequence[Statistics]) -> Iterable[tuple[str, NDArray[np.bool_]]]:
        """Return, for metrics of a single class, which frames have anything of the class.

        The interval of such a metric depends on their number, not on the number of all frames.

        Args:
            statistics: the statistics of the N frames, in dataset order.

        Returns:
            pairs of a metric's name and bool[N]. Metrics that all frames count for, and those of `hits`, need not be
            returned. The default returns none.
        """
        return ()

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Callable[[Any], Any]:
        """Return a function that converts a prediction from the model's classes to the dataset's (`self.classes`).

        The default returns predictions unchanged, and requires that both have the same classes.

        Args:
            model_classes: the model's classes.
            dataset: the dataset's name, for the error message.

        Raises:
            WeightsError: the classes have nothing in common. The default raises it if they are not equal.
        """
        from harness.errors import WeightsError

        if model_classes != self.classes:
            raise WeightsError(
                f"the weights know the classes {', '.join(model_classes)}, dataset {dataset} has "
                f"{', '.join(self.classes)}."
            )
        return lambda prediction: prediction

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Return warnings (sentences) for the user about the conversion from the model's classes to the dataset's."""
        return []

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return one number for how well the model did on a sample (to sort samples by), or None if there is none."""
        return None

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[Any]) -> float | None:
        """Return the primary metric that a prediction gets, at best, that does not depend on the image.

        A model that is not better has learnt nothing that shows here, and the user is told so. The default returns
        None: the task does not know it.

        Args:
            statistics: the statistics of all scored frames of the dataset.
            targets: the targets of some of these frames. They are read only if they are asked for.
        """
        return None

    def hint(self, name: str, target: Any) -> Any:
        """Return what a target tells a model that needs it (`harness.model.Model.needs`).

        Args:
            name: one of `tells`. `boxes`: float64[N, 5], x1, y1, x2, y2 in pixels, and 1.
            target: what the dataset gave for one frame.
        """
        raise NotImplementedError(f"task {self.name} tells no {name}")

    def as_target(self, prediction: Any) -> Any:
        """Convert a prediction to a target, so that a model can be compared with its own output without labels."""
        raise NotImplementedError(f"task {self.name} takes no predictions as reference")

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        """Write predictions that a run kept, in a format that other tools read (see `predictions_as`).

        Args:
            frames: the predictions, in the order of the dataset.
            target: the file, or the folder.
        """
        raise NotImplementedError(f"task {self.name} writes no predictions")

    def draw(self, image: NDArray[np.uint8], prediction: Any) -> NDArray[np.uint8]:
        """Draw the prediction on a copy of the image, uint8[H, W, 3] (RGB), and return the copy."""
        raise NotImplementedError(f"task {self.name} cannot draw")

    def draw_target(self, image: NDArray[np.uint8], target: Any) -> NDArray[np.uint8]:
        """Draw the target on a copy of the image, uint8[H, W, 3] (RGB), in the style of `draw`, and return the copy."""
        raise NotImplementedError(f"task {self.name} cannot draw its truth")

    def legend(self) -> Sequence[tuple[str, tuple[int, int, int]]]:
        """Return the meaning and the RGB value of each colour in the drawings; empty if the drawings need no legend."""
        return ()

    def enlarged(self, result: Any, times: int) -> Any:
        """Scale a prediction or a target up, for an image that is enlarged `times` times.

        Coordinates are multiplied by `times`; the pixels of maps are repeated. Drawings on small images are then as
        fine as on large ones. For a task without this method, the finished drawing is enlarged instead.
        """
        raise NotImplementedError(f"task {self.name} cannot enlarge")


def class_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Return the per-class metrics (NAME[class]) that have the same NAME as the first per-class metric.

    >>> class_metrics(["mIoU", "IoU[road]", "precision[road]", "IoU[car]"])
    ('IoU[road]', 'IoU[car]')
    """
    named = [name for name in names if "[" in name]
    return tuple(name for name in named if name.partition("[")[0] == named[0].partition("[")[0])
