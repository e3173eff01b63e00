"""Object detection: boxes with classes and confidences, measured by average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.options import Option
from harness.task import Metric, Task
from harness_tasks.detection.classes import Translation, some, translation
from harness_tasks.detection.counts import COUNTS, count_metrics
from harness_tasks.detection.matching import THRESHOLDS, frame_statistics, unpack
from harness_tasks.detection.mistakes import MISTAKES, mistake_metrics
from harness_tasks.detection.reduction import class_metrics, class_tables
from harness_tasks.detection.types import Boxes, Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Statistics

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


class Detection(Task):
    """Detection of objects: COCO's metrics and VOC's, from one matching of each frame.

    The COCO metrics equal pycocotools' to 1e-9, the VOC metrics the development kit's. Means are over the classes
    that have an object; a class that the dataset has and the model lacks counts as AP 0. A metric without any object
    of its kind is undefined (NaN).

    Difficult objects (VOC) are ignored in the COCO metrics too: they are no positives, and a detection that matches
    one, by the usual overlap and once, is neither true nor false. Converters to COCO's format mark them so
    (`ignore`), though pycocotools then overlooks the mark; counting them as ordinary would make AP50 of one
    prediction differ between the two families for a reason that has nothing to do with compression. VOC's own rule
    differs in one point: there any number of detections of one difficult object are ignored.

    Crowds (COCO) are ignored in the VOC metrics: a detection that hits no object and lies in a crowd by half is
    neither true nor false.
    """

    name = "detection"
    summary = "object detection (COCO and VOC average precision)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    sample_metric: ClassVar[Metric] = Metric("AP50", description="AP at overlap 0.5, all classes in one list")
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
        """The metrics of the whole, and "AP[class]" for each class."""
        return (*_METRICS, *(Metric(f"AP[{name}]", description=f"AP of {name}, {_COCO}") for name in self.classes))

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """AP of each class and size, recall of each size, and the kinds of mistakes."""
        sizes = tuple(f"AP_{size}" for size in _SIZES)
        mistakes = tuple(metric.name for metric in MISTAKES)
        return {**super().breakdowns(), "object sizes": sizes, "mistakes": mistakes, "confidence": ("confidence",)}

    def score(self, prediction: Detections, target: Boxes) -> Statistics:
        """What each detection and object of one frame matched: arrays described at `frame_statistics`."""
        return frame_statistics(prediction, target)

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """All metrics, float64[R], of R weighted sets of N frames given in dataset order (ties break by it)."""
        drawn = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
        tables = class_tables(statistics, len(self.classes)) if statistics else []
        found = [class_metrics(table, drawn.take(table.frames, axis=1)) for table in tables]
        if not found:
            return {metric.name: np.full(len(drawn), np.nan) for metric in self.all_metrics()}
        precision = np.stack([result["precision"] for result in found])
        recall = np.stack([result["recall"] for result in found])
        whole = precision[:, :, 0].mean(axis=2)
        values = {
            "AP": _mean(whole),
            "AP50": _mean(precision[:, :, 0, 0]),
            "AP75": _mean(precision[:, :, 0, int(np.searchsorted(THRESHOLDS, 0.75 - 1e-9))]),
        }
        values |= {f"AP_{size}": _mean(precision[:, :, i + 1].mean(axis=2)) for i, size in enumerate(_SIZES)}
        names = ("AR1", "AR10", "AR100", *(f"AR_{size}" for size in _SIZES))
        values |= {name: _mean(recall[:, :, i]) for i, name in enumerate(names)}
        values["AP50_voc07"] = _mean(np.stack([result["voc07"] for result in found]))
        values["AP50_voc"] = _mean(np.stack([result["voc"] for result in found]))
        values |= count_metrics(statistics, drawn, self.option("confidence"))
        values |= mistake_metrics(statistics, drawn, self.option("confidence"))
        return values | {f"AP[{name}]": whole[index] for index, name in enumerate(self.classes)}

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Translation:
        """Labels by class name, with the synonyms of COCO and VOC; `missing` names what the model cannot find.

        Raises:
            WeightsError: no class in common.
        """
        return translation(model_classes, self.classes, dataset)

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Which classes of the dataset the model cannot find."""
        missing = translation(model_classes, self.classes, dataset).missing
        if not missing:
            return []
        return [
            f"dataset {dataset}: the model lacks {len(missing)} of its {len(self.classes)} classes ({some(missing)}); "
            "where they have objects, their AP is 0 and counts in the mean."
        ]

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """AP of the sample's frames at overlap 0.5, all classes in one list; None without objects."""
        positives = sum(int((frame["object_flags"] & 3 == 0).sum()) for frame in statistics)
        if not positives:
            return None
        scores = np.concatenate([frame["score"] for frame in statistics])
        hit, void = (unpack(np.concatenate([frame[key] for frame in statistics]))[:, 0, 0] for key in ("hit", "void"))
        order = np.argsort(-scores, kind="stable")
        order = order[~void[order]]
        true = np.cumsum(hit[order])
        precision = np.maximum.accumulate((true / np.arange(1, len(order) + 1))[::-1])[::-1]
        return float(precision[hit[order]].sum() / positives)

    def as_target(self, prediction: Detections) -> Boxes:
        """The detections of at least the option `confidence` as objects."""
        sure = prediction.scores >= self.option("confidence")
        return Boxes.of(prediction.boxes[sure], prediction.labels[sure])

    def draw(self, image: NDArray[np.uint8], prediction: Detections) -> NDArray[np.uint8]:
        """Boxes, classes and scores of the detections of at least the option `confidence`."""
        from harness_tasks.detection.drawing import draw_detections

        return draw_detections(image, prediction, self.classes, self.option("confidence"))

    def draw_target(self, image: NDArray[np.uint8], target: Boxes) -> NDArray[np.uint8]:
        """Boxes and classes of the objects; crowds and difficult objects say so."""
        from harness_tasks.detection.drawing import draw_objects

        return draw_objects(image, target, self.classes)

    def enlarged(self, result: Any, times: int) -> Any:
        """Detections or objects with their boxes multiplied."""
        return replace(result, boxes=result.boxes * times)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is defined, float64[R]; NaN where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
