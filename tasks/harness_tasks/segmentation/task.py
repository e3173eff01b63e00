"""The task semantic segmentation: one class per pixel, measured with one confusion matrix over all frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.errors import PluginError, WeightsError
from harness.task import Metric, Task
from harness_tasks.checks import check_labels, check_map
from harness_tasks.predictions import write_label_maps
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.dataset import KeptFrame
    from harness.task import Reducer, Statistics

__all__ = ["Segmentation", "confusion_matrix"]

_EXACT = 1 << 24
"""The most pixels that OpenCV counts exactly at once: it returns counts as float32."""
_FCN = "Long, Shelhamer and Darrell, CVPR 2015"
_METRICS = (
    Metric("mIoU", primary=True, description=f"mean over the classes of intersection over union ({_FCN})"),
    Metric("global_accuracy", description=f"share of the pixels that are right: pixel accuracy ({_FCN})"),
    Metric("mean_class_accuracy", description=f"mean over the classes of the share that is right ({_FCN})"),
)


class Segmentation(Task):
    """Semantic segmentation: mean IoU, global accuracy and mean class accuracy, and IoU and accuracy of each class.

    All metrics are computed from one confusion matrix, which is summed over all scored frames (they are not means over
    images). Pixels whose target is `IGNORE` are not counted, whatever the prediction. Let n[i, j] be the number of
    pixels of class i that were predicted as class j, and t[i] the number of all pixels of class i:

        global_accuracy        sum_i n[i, i] / sum_i t[i]
        accuracy[i]            n[i, i] / t[i]
        IoU[i]                 n[i, i] / (t[i] + sum_j n[j, i] - n[i, i])

    `mean_class_accuracy` and `mIoU` are the means over the classes that occur in the targets. A class that does not
    occur has no accuracy and no IoU (NaN). Pixels wrongly predicted as such a class still count as missed for their
    true class. Some programs count the IoU of such a class as 0 instead. A class of the dataset that the model does not
    have counts as 0.
    """

    name = "segmentation"
    summary = "semantic segmentation (mean IoU, accuracies)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    sample_metric: ClassVar[Metric] = Metric("mIoU", description="mean IoU over the classes in the sample")
    predictions_as = "/"

    def all_metrics(self) -> tuple[Metric, ...]:
        """Return the overall metrics, and "IoU[class]" and "accuracy[class]" for each class."""
        overlaps = (Metric(f"IoU[{name}]", description=f"intersection over union of {name}") for name in self.classes)
        shares = (Metric(f"accuracy[{name}]", description=f"share of {name} that is right") for name in self.classes)
        return (*_METRICS, *overlaps, *shares)

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check a label map: integers [H, W] in the size of the source frame, each a class of the model."""
        check_map("label map", prediction, "whole", size)
        check_labels("label map", prediction, classes)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check a label map: integers [H, W] in the size of the frame, each a class of the dataset, or `IGNORE`."""
        check_map("label map", target, "whole", size)
        if (((target < 0) | (target >= len(self.classes))) & (target != IGNORE)).any():
            check_labels("label map", target[target != IGNORE], len(self.classes))

    def score(self, prediction: NDArray[np.integer], target: NDArray[np.uint8]) -> Statistics:
        """Return the confusion matrix of one frame, int64[C, C + 1] (see `confusion_matrix`)."""
        return {"confusion": confusion_matrix(prediction, target, len(self.classes))}

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], of R weighted sets of N frames.

        The counts are whole numbers, so their sums do not depend on the order of the frames.
        """
        return self.reducer(statistics)(weights)

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return `reduce` for these frames, prepared for several calls; it computes all metrics."""
        classes = len(self.classes)
        frames = np.zeros((len(statistics), classes * (classes + 1)))
        for row, frame in zip(frames, statistics, strict=True):
            row[:] = frame["confusion"].reshape(-1)

        def reduce(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
            set_weights = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
            return self._values(set_weights @ frames)

        return reduce

    def counted(self, statistics: Sequence[Statistics]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield which frames have a pixel of the class, for the metrics of each class."""
        there = np.array([frame["confusion"].sum(axis=1) > 0 for frame in statistics]).reshape(-1, len(self.classes))
        for index, name in enumerate(self.classes):
            yield f"IoU[{name}]", there[:, index]
            yield f"accuracy[{name}]", there[:, index]

    def _values(self, sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], from the confusion matrices of R sets, float64[R, C * (C + 1)]."""
        classes = len(self.classes)
        counts = sums.reshape(len(sums), classes, classes + 1)
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
        """Return a function that converts a label map from the model's classes to the dataset's classes.

        Classes are matched by name, ignoring case. A pixel of a class that the dataset does not have gets the number C.
        It is then wrong, but does not count as a false positive of any class.

        Raises:
            WeightsError: the model and the dataset have no class in common.
        """
        if model_classes == self.classes:
            return lambda prediction: prediction
        dataset_numbers = {_plain(name): number for number, name in enumerate(self.classes)}
        numbers = [dataset_numbers.get(_plain(name), len(self.classes)) for name in model_classes]
        if not set(dataset_numbers.values()) & set(numbers):
            raise WeightsError(
                f"the weights know the classes {', '.join(model_classes)}, dataset {dataset} has "
                f"{', '.join(self.classes)}: not one name is the same. Use weights for these classes."
            )
        table = np.asarray(numbers, np.uint8)
        return lambda prediction: _looked_up(table, prediction)

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Return a note that lists the dataset's classes that the model does not have; empty if there are none."""
        known = {_plain(name) for name in model_classes}
        missing = [name for name in self.classes if _plain(name) not in known]
        if not missing:
            return []
        return [
            f"dataset {dataset}: the model lacks {len(missing)} of its {len(self.classes)} classes "
            f"({', '.join(missing)}); where they occur, their IoU is 0 and counts in the mean."
        ]

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return the mean IoU of the sample's frames; None if none of their pixels has a label."""
        value = float(self.reduce(statistics)["mIoU"][0])
        return None if np.isnan(value) else value

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[Any]) -> float | None:
        """Return the mIoU of the most frequent class everywhere; None without labelled pixels or with only one class.

        Its IoU is its share of the pixels, and the IoU of the other classes that occur is 0.
        """
        truth = np.sum([frame["confusion"].sum(axis=1) for frame in statistics], axis=0)
        occurring = int((truth > 0).sum())
        return float(truth.max() / truth.sum() / occurring) if occurring > 1 else None

    def as_target(self, prediction: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Convert a prediction to a target. Pixels without a class of the dataset become IGNORE."""
        return np.where(prediction < len(self.classes), prediction, IGNORE).astype(np.uint8)

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        write_label_maps(frames, target)

    def draw(self, image: NDArray[np.uint8], prediction: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Draw the predicted classes as colours over the image. Pixels without a class stay unchanged."""
        from harness_tasks.segmentation.drawing import draw_labels

        return draw_labels(image, prediction, self.classes)

    def draw_target(self, image: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the target's classes as colours over the image. Ignored pixels stay unchanged."""
        return self.draw(image, target)

    def legend(self) -> list[tuple[str, tuple[int, int, int]]]:
        """Return the name and the RGB colour of each class."""
        from harness_tasks.segmentation.drawing import colour_of

        return [(name, colour_of(name, number)) for number, name in enumerate(self.classes)]

    def enlarged(self, result: NDArray[np.integer], times: int) -> NDArray[np.integer]:
        """Enlarge a label map: each pixel becomes `times` by `times` pixels."""
        return result.repeat(times, axis=0).repeat(times, axis=1)


def confusion_matrix(prediction: NDArray[np.integer], target: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Count the pixels of each true class (rows) and predicted class (columns).

    Args:
        prediction: integer[H, W], 0 to `classes`; the number `classes` means a class that the dataset does not have.
        target: integer[H, W], 0 to `classes` - 1, or IGNORE for pixels that are not counted.
        classes: C, the number of classes.

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
    if prediction.dtype == target.dtype == np.uint8:
        pairs = _pairs(target, prediction)
        counts = pairs[:classes, : classes + 1]
        if counts.sum() + pairs[IGNORE].sum() == target.size:
            return counts.copy()
    labelled = target != IGNORE
    truth, predicted = target[labelled].astype(np.int64), prediction[labelled].astype(np.int64)
    for what, labels, largest in (("truth", truth, classes - 1), ("prediction", predicted, classes)):
        if labels.size and not 0 <= labels.min() <= labels.max() <= largest:
            raise PluginError(
                f"the {what} has labels from {labels.min()} to {labels.max()}; there are {classes} classes, so 0 to "
                f"{largest} are expected."
            )
    counts = np.bincount(truth * (classes + 1) + predicted, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def _pairs(target: NDArray[np.integer], prediction: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the pixels of each pair of labels of the target and the prediction, both uint8: int64[256, 256]."""
    import cv2

    counts = np.zeros((256, 256), np.int64)
    truth, predicted = np.ascontiguousarray(target).reshape(-1), np.ascontiguousarray(prediction).reshape(-1)
    for start in range(0, truth.size, _EXACT):
        part = slice(start, start + _EXACT)
        found = cv2.calcHist([truth[part], predicted[part]], [0, 1], None, [256, 256], [0, 256, 0, 256])
        counts += found.astype(np.int64)
    return counts


def _looked_up(table: NDArray[np.uint8], prediction: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return `table[prediction]`; OpenCV is faster with numbers of one byte."""
    import cv2

    if prediction.dtype != np.uint8 or not prediction.size or prediction.max() >= len(table):
        return np.asarray(table[prediction])
    whole = np.zeros(256, np.uint8)
    whole[: len(table)] = table
    return np.asarray(cv2.LUT(prediction, whole), np.uint8)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined)
    return ratio


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis without NaN, float64[R]; NaN where all values are NaN."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1).astype(np.float64)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), count, count > 0)
