"""The task object detection: boxes with classes and confidences, measured by average precision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.options import Option
from harness.task import Metric, Task
from harness_tasks.checks import check_type
from harness_tasks.detection.classes import Translation, some, translation
from harness_tasks.detection.counts import COUNTS, count_metrics, count_totals
from harness_tasks.detection.joined import JoinedFrames
from harness_tasks.detection.matching import THRESHOLDS, frame_statistics
from harness_tasks.detection.mistakes import MISTAKES, mistake_metrics, mistake_totals
from harness_tasks.detection.reduction import ClassLists, class_lists, class_metrics
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.predictions import write_boxes
from harness_tasks.ranking import first_bit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.dataset import KeptFrame
    from harness.task import Reducer, Statistics

__all__ = ["Detection"]

_COCO = "COCO (pycocotools 2.0)"
_METRICS = (
    Metric("AP", primary=True, description=f"mean AP at overlaps .50:.05:.95, 101 recalls, {_COCO}"),
    Metric("AP50", description=f"AP at overlap 0.5, {_COCO}"),
    Metric("AP75", description=f"AP at overlap 0.75, {_COCO}"),
    Metric("AP_small", description=f"AP of objects up to 32x32 pixels, {_COCO}"),
    Metric("AP_medium", description=f"AP of objects from 32x32 to 96x96 pixels, {_COCO}"),
    Metric("AP_large", description=f"AP of objects from 96x96 pixels, {_COCO}"),
    Metric("AR1", description=f"recall at overlaps .50:.05:.95, 1 detection a class and image, {_COCO}"),
    Metric("AR10", description=f"recall, 10 detections a class and image, {_COCO}"),
    Metric("AR100", description=f"recall, 100 detections a class and image, {_COCO}"),
    Metric("AR_small", description=f"recall of objects up to 32x32 pixels, {_COCO}"),
    Metric("AR_medium", description=f"recall of objects from 32x32 to 96x96 pixels, {_COCO}"),
    Metric("AR_large", description=f"recall of objects from 96x96 pixels, {_COCO}"),
    Metric("AP50_voc07", description="AP at overlap 0.5, mean precision at 11 recalls, PASCAL VOC 2007"),
    Metric("AP50_voc", description="AP at overlap 0.5, area under the curve, PASCAL VOC since 2010"),
    *COUNTS,
    *MISTAKES,
)
_SIZES = ("small", "medium", "large")
_RECALLS = ("AR1", "AR10", "AR100", *(f"AR_{size}" for size in _SIZES))
_VOC = {"AP50_voc07", "AP50_voc"}


class Detection(Task):
    """Object detection with the metrics of COCO and of PASCAL VOC, from one matching per frame.

    The COCO metrics equal those of pycocotools to 1e-9, the VOC metrics those of the VOC development kit. Means are
    over the classes that have an object. A class of the dataset that the model does not have counts as AP 0. A metric
    without any object of its kind is undefined (NaN).

    VOC's difficult objects are ignored in the COCO metrics too: they are not positives, and one detection that matches
    such an object at the usual overlap is neither true nor false. Converters to COCO's format mark these objects
    (`ignore`), but pycocotools does not read the mark. If they counted as normal objects, AP50 of the same prediction
    would differ between COCO and VOC for a reason unrelated to compression. VOC's own rule differs in one point: there,
    any number of detections of a difficult object are ignored.

    COCO's crowds are ignored in the VOC metrics: a detection that matches no object, and of which at least half lies in
    a crowd, is neither true nor false.
    """

    name = "detection"
    summary = "object detection (COCO and VOC average precision)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    sample_metric: ClassVar[Metric] = Metric("AP50", description="AP at overlap 0.5, all classes in one list")
    predictions_as = ".json"
    tells = ("boxes",)
    options = (
        Option(
            "confidence",
            float,
            0.5,
            "from which score a detection is an object: in counts, in drawings, and as reference",
            minimum=0.0,
            maximum=1.0,
        ),
    )

    def all_metrics(self) -> tuple[Metric, ...]:
        """Return the overall metrics, and "AP[class]" for each class."""
        return (*_METRICS, *(Metric(f"AP[{name}]", description=f"AP of {name}, {_COCO}") for name in self.classes))

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """Return groups of metrics for reports: per class, per object size, kinds of mistakes, and confidence."""
        sizes = tuple(f"AP_{size}" for size in _SIZES)
        mistakes = tuple(metric.name for metric in MISTAKES)
        return {**super().breakdowns(), "object sizes": sizes, "mistakes": mistakes, "confidence": ("confidence",)}

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check the detections in one frame (`Detections.check`)."""
        check_type(prediction, Detections).check(size, classes)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check the objects in one frame (`Boxes.check`)."""
        check_type(target, Boxes).check(len(self.classes))

    def hint(self, name: str, target: Boxes) -> NDArray[np.float64]:
        """Return the boxes of the objects, those of crowds left out: float64[N, 5], x1, y1, x2, y2, and 1."""
        boxes = target.boxes[~target.crowd]
        return np.concatenate([boxes, np.ones((len(boxes), 1))], axis=1)

    def score(self, prediction: Detections, target: Boxes) -> Statistics:
        """Return the matches of the detections and objects in one frame (see `frame_statistics`)."""
        return frame_statistics(prediction, target)

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], of R weighted sets of N frames.

        The frames must be in dataset order, because it decides between detections of equal score.
        """
        return self.reducer(statistics)(weights)

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return `reduce` for these frames, prepared for several calls; it computes the wanted metrics, and others."""
        names = [metric.name for metric in self.all_metrics()]
        wanted = set(names) if metrics is None else set(metrics)
        if not statistics or not self.classes:
            return lambda weights: {name: np.full(1 if weights is None else len(weights), np.nan) for name in names}
        frames = JoinedFrames(statistics)
        sizes = {number for number, of_size in enumerate(self._names_by_size()) if wanted & of_size}
        voc, recall = bool(wanted & _VOC), bool(wanted & {*_RECALLS})
        lists = None
        if sizes or voc or recall:
            sizes |= {0} if voc or not sizes else set()
            lists = class_lists(frames, len(self.classes), sorted(sizes), voc, recall)
        counts, mistakes = (
            totals(frames, self.option("confidence")) if wanted & {metric.name for metric in group} else None
            for totals, group in ((count_totals, COUNTS), (mistake_totals, MISTAKES))
        )

        def reduce(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
            set_weights = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
            values = self._class_values(lists, set_weights) if lists else {}
            if counts is not None:
                values |= count_metrics(counts, set_weights)
            if mistakes is not None:
                values |= mistake_metrics(mistakes, set_weights)
            return {name: values[name] for name in names if name in values}

        return reduce

    def counted(self, statistics: Sequence[Statistics]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield which frames have an object of the class that is no crowd and not difficult, for AP of each class."""
        there = np.zeros((len(statistics), len(self.classes)), np.bool_)
        for row, frame in zip(there, statistics, strict=True):
            row[frame["object_label"][(frame["object_flags"] & 3) == 0]] = True
        for index, name in enumerate(self.classes):
            yield f"AP[{name}]", there[:, index]

    def _names_by_size(self) -> list[set[str]]:
        """Return the names of the metrics that need the AP of each size range."""
        every = {"AP", "AP50", "AP75", *(f"AP[{name}]" for name in self.classes)}
        return [every, *({f"AP_{size}"} for size in _SIZES)]

    def _class_values(self, lists: ClassLists, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return the metrics that are means over classes, and those of the classes, each float64[R]."""
        found = class_metrics(lists, weights)
        values: dict[str, NDArray[np.float64]] = {}
        for number, precision in zip(lists.sizes, found["precision"], strict=True):
            class_ap = precision.mean(axis=2)
            if number:
                values[f"AP_{_SIZES[number - 1]}"] = _mean(class_ap)
                continue
            values["AP"] = _mean(class_ap)
            values["AP50"] = _mean(precision[:, :, 0])
            values["AP75"] = _mean(precision[:, :, int(np.searchsorted(THRESHOLDS, 0.75 - 1e-9))])
            values |= {f"AP[{name}]": class_ap[index] for index, name in enumerate(self.classes)}
        if "recall" in found:
            values |= {name: _mean(recall) for name, recall in zip(_RECALLS, found["recall"], strict=True)}
        if "voc" in found:
            values |= {"AP50_voc07": _mean(found["voc07"]), "AP50_voc": _mean(found["voc"])}
        return values

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Translation:
        """Return a function that converts the model's labels to the dataset's, by class name and known synonyms.

        Its attribute `missing` has the dataset's classes that the model does not have.

        Raises:
            WeightsError: the model and the dataset have no class in common.
        """
        return translation(model_classes, self.classes, dataset)

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Return a note that lists the dataset's classes that the model does not have; empty if there are none."""
        missing = translation(model_classes, self.classes, dataset).missing
        if not missing:
            return []
        return [
            f"dataset {dataset}: the model lacks {len(missing)} of its {len(self.classes)} classes ({some(missing)}); "
            "where they have objects, their AP is 0 and counts in the mean."
        ]

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return AP at overlap 0.5 of the sample's frames, all classes in one list; None without objects."""
        positives = sum(int((frame["object_flags"] & 3 == 0).sum()) for frame in statistics)
        if not positives:
            return None
        scores = np.concatenate([frame["score"] for frame in statistics])
        hit, void = (first_bit(np.concatenate([frame[key] for frame in statistics])) for key in ("hit", "void"))
        order = np.argsort(-scores, kind="stable")
        order = order[~void[order]]
        true = np.cumsum(hit[order])
        precision = np.maximum.accumulate((true / np.arange(1, len(order) + 1))[::-1])[::-1]
        return float(precision[hit[order]].sum() / positives)

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[Any]) -> float | None:
        """Return 0.01: the objects of another image, or the whole image as each class, stay below this AP (tests)."""
        return 0.01

    def as_target(self, prediction: Detections) -> Boxes:
        """Convert the detections with a score of at least the option `confidence` to objects."""
        sure = prediction.scores >= self.option("confidence")
        return Boxes.of(prediction.boxes[sure], prediction.labels[sure])

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        write_boxes(frames, target)

    def draw(self, image: NDArray[np.uint8], prediction: Detections) -> NDArray[np.uint8]:
        """Draw boxes, classes and scores of the detections with a score of at least the option `confidence`."""
        from harness_tasks.detection.drawing import draw_detections

        return draw_detections(image, prediction, self.classes, self.option("confidence"))

    def draw_target(self, image: NDArray[np.uint8], target: Boxes) -> NDArray[np.uint8]:
        """Draw boxes and classes of the objects. Crowds and difficult objects are marked as such."""
        from harness_tasks.detection.drawing import draw_objects

        return draw_objects(image, target, self.classes)

    def enlarged(self, result: Any, times: int) -> Any:
        """Multiply the boxes of detections or objects by `times`."""
        return replace(result, boxes=result.boxes * times)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis without NaN, float64[R]; NaN where all values are NaN."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
