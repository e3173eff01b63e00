"""Semantic segmentation: a class for every pixel, measured from one confusion matrix over the set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.errors import PluginError, WeightsError
from harness.task import Metric, Task
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

__all__ = ["Segmentation", "confusion_matrix"]

_FCN = "Long, Shelhamer and Darrell, CVPR 2015"
_METRICS = (
    Metric("mIoU", primary=True, description=f"mean over the classes of intersection over union ({_FCN})"),
    Metric("global_accuracy", description=f"share of the pixels that are right: pixel accuracy ({_FCN})"),
    Metric("mean_class_accuracy", description=f"mean over the classes of the share that is right ({_FCN})"),
)


class Segmentation(Task):
    """Semantic segmentation: mean IoU, global accuracy and mean class accuracy, and IoU and accuracy of each class.

    All come from one confusion matrix, summed over all scored frames of the set (not from means over images). Pixels
    whose truth is `IGNORE` are in no count, whatever was predicted there. With n[i, j] the pixels of class i that were
    predicted to be j, and t[i] all pixels of class i:

        global_accuracy        sum_i n[i, i] / sum_i t[i]
        accuracy[i]            n[i, i] / t[i]
        IoU[i]                 n[i, i] / (t[i] + sum_j n[j, i] - n[i, i])

    `mean_class_accuracy` and `mIoU` are the means over the classes that occur in the truth. A class that does not
    occur has no accuracy and no IoU (NaN); pixels wrongly given to it still count as missed where they belong. Some
    programs count such a class as IoU 0 instead. A class that the dataset has and the model lacks counts as 0.
    """

    name = "segmentation"
    summary = "semantic segmentation (mean IoU, accuracies)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    sample_metric: ClassVar[Metric] = Metric("mIoU", description="mean IoU over the classes in the sample")

    def all_metrics(self) -> tuple[Metric, ...]:
        """The metrics of the whole, and "IoU[class]" and "accuracy[class]" for each class."""
        overlaps = (Metric(f"IoU[{name}]", description=f"intersection over union of {name}") for name in self.classes)
        shares = (Metric(f"accuracy[{name}]", description=f"share of {name} that is right") for name in self.classes)
        return (*_METRICS, *overlaps, *shares)

    def score(self, prediction: NDArray[np.integer], target: NDArray[np.uint8]) -> Statistics:
        """The confusion matrix of one frame, int64[C, C + 1]: `confusion_matrix`."""
        return {"confusion": confusion_matrix(prediction, target, len(self.classes))}

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """All metrics, float64[R], of R weighted sets of N frames. Sums are of whole numbers, so order is nothing."""
        classes = len(self.classes)
        frames = np.zeros((len(statistics), classes * (classes + 1)))
        for row, frame in zip(frames, statistics, strict=True):
            row[:] = frame["confusion"].reshape(-1)
        drawn = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
        counts = (drawn @ frames).reshape(len(drawn), classes, classes + 1)
        hits = counts[:, np.arange(classes), np.arange(classes)]
        truth, predicted = counts.sum(axis=2), counts.sum(axis=1)[:, :classes]
        overlap = _ratio(hits, truth + predicted - hits, truth > 0)
        share = _ratio(hits, truth, truth > 0)
        total = truth.sum(axis=1)
        values = {
            "mIoU": _mean(overlap),
            "global_accuracy": _ratio(hits.sum(axis=1), total, total > 0),
            "mean_class_accuracy": _mean(share),
        }
        values |= {f"IoU[{name}]": overlap[:, index] for index, name in enumerate(self.classes)}
        return values | {f"accuracy[{name}]": share[:, index] for index, name in enumerate(self.classes)}

    def translator(
        self, model_classes: tuple[str, ...], dataset: str
    ) -> Callable[[NDArray[np.integer]], NDArray[np.integer]]:
        """Label maps in the model's classes -> label maps in the dataset's, by equal names (case does not matter).

        A pixel of a class that the dataset does not have gets the number C: wrong, and no other class's fault.

        Raises:
            WeightsError: no class in common.
        """
        if model_classes == self.classes:
            return lambda prediction: prediction
        own = {_plain(name): number for number, name in enumerate(self.classes)}
        numbers = [own.get(_plain(name), len(self.classes)) for name in model_classes]
        if not set(own.values()) & set(numbers):
            raise WeightsError(
                f"the weights know the classes {', '.join(model_classes)}, dataset {dataset} has "
                f"{', '.join(self.classes)}: not one name is the same. Use weights for these classes."
            )
        table = np.asarray(numbers, np.uint8)
        return lambda prediction: table[prediction]

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Which classes of the dataset the model cannot tell."""
        known = {_plain(name) for name in model_classes}
        missing = [name for name in self.classes if _plain(name) not in known]
        if not missing:
            return []
        return [
            f"dataset {dataset}: the model lacks {len(missing)} of its {len(self.classes)} classes "
            f"({', '.join(missing)}); where they occur, their IoU is 0 and counts in the mean."
        ]

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """The mean IoU of the sample's frames; None where no pixel of them has a label."""
        value = float(self.reduce(statistics)["mIoU"][0])
        return None if np.isnan(value) else value

    def as_target(self, prediction: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The predicted label map; what is of no class of the dataset is ignored."""
        return np.where(prediction < len(self.classes), prediction, IGNORE).astype(np.uint8)

    def draw(self, image: NDArray[np.uint8], prediction: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The classes as colours over the image. What is of no class stays as it is."""
        from harness_tasks.segmentation.drawing import draw_labels

        return draw_labels(image, prediction, self.classes)

    def draw_target(self, image: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The true classes as colours over the image. What is ignored stays as it is."""
        return self.draw(image, target)

    def legend(self) -> list[tuple[str, tuple[int, int, int]]]:
        """The colour of each class."""
        from harness_tasks.segmentation.drawing import colour_of

        return [(name, colour_of(name, number)) for number, name in enumerate(self.classes)]

    def enlarged(self, result: NDArray[np.integer], times: int) -> NDArray[np.integer]:
        """A label map in which each pixel has become `times` by `times`."""
        return result.repeat(times, axis=0).repeat(times, axis=1)


def confusion_matrix(prediction: NDArray[np.integer], target: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """How many pixels of each class (rows) were given to each class (columns).

    Args:
        prediction: integer[H, W], 0 to `classes`; the latter stands for a class that the dataset does not have.
        target: integer[H, W], 0 to `classes` - 1, or IGNORE: such pixels are not counted.
        classes: C.

    Returns:
        int64[C, C + 1].

    Raises:
        PluginError: the sizes differ, or a number is out of range.

    >>> confusion_matrix(np.array([[0, 1, 2, 0]]), np.array([[0, 0, 1, 255]]), 2)
    array([[1, 1, 0],
           [0, 0, 1]])
    """
    if prediction.shape != target.shape:
        raise PluginError(
            f"a label map of the size of the truth is expected, {list(target.shape)}; given: {list(prediction.shape)}."
        )
    known = target != IGNORE
    truth, found = target[known].astype(np.int64), prediction[known].astype(np.int64)
    for what, labels, largest in (("truth", truth, classes - 1), ("prediction", found, classes)):
        if labels.size and not 0 <= labels.min() <= labels.max() <= largest:
            raise PluginError(
                f"the {what} has labels from {labels.min()} to {labels.max()}; there are {classes} classes, so 0 to "
                f"{largest} are expected."
            )
    counts = np.bincount(truth * (classes + 1) + found, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined)
    return ratio


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the last axis of what is defined, float64[R]; NaN where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1).astype(np.float64)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), count, count > 0)
