"""The task action recognition: one class per clip, measured by top-1 and top-5 accuracy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness.errors import WeightsError
from harness.task import Metric, Task
from harness_tasks.action.types import ClipScores
from harness_tasks.checks import check_label, check_type
from harness_tasks.predictions import write_scores
from harness_tasks.ratios import ratio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.dataset import KeptFrame
    from harness.task import Reducer, Statistics

__all__ = ["STREAMS", "Action", "fusion"]

STREAMS = ("spatial", "motion", "fusion")
"""The predictions that are ranked, in the order of the statistics' `ranks`."""
_PAPER = "Simonyan and Zisserman, NeurIPS 2014"
_WHAT = {
    "spatial": "by the stream that sees frames",
    "motion": "by the stream that sees optical flow",
    "fusion": f"by the mean of both streams' softmax ({_PAPER}, section 5)",
}
_METRICS = (
    Metric("fusion_top1", primary=True, description=f"share of clips classified rightly {_WHAT['fusion']}"),
    Metric("fusion_top5", description=f"share of clips whose class is among the first five {_WHAT['fusion']}"),
    Metric("spatial_top1", description=f"share of clips classified rightly {_WHAT['spatial']}"),
    Metric("spatial_top5", description=f"share of clips whose class is among the first five {_WHAT['spatial']}"),
    Metric("motion_top1", description=f"share of clips classified rightly {_WHAT['motion']}"),
    Metric("motion_top5", description=f"share of clips whose class is among the first five {_WHAT['motion']}"),
    Metric("mean_class_accuracy", description="fusion_top1 of each class that has a clip, averaged over these classes"),
    Metric("confidence", description="mean probability of the true class in the fusion"),
)


def fusion(prediction: ClipScores) -> NDArray[np.float64]:
    """Return the mean of the two streams' class probabilities, float64[C] (late fusion by averaging, Simonyan 2014)."""
    return (prediction.spatial.astype(np.float64) + prediction.motion.astype(np.float64)) / 2


class Action(Task):
    """Classification of clips by a spatial stream, a motion stream, and their fusion.

    The target of a clip is its class (an int), stored at frame 0. The rank of a class is the number of other classes
    with at least the same probability. So a model that gives all classes the same probability is never right. With five
    classes or fewer, top-5 is always 1 and has no meaning.
    """

    name = "action"
    summary = "action recognition (top-1 and top-5 of spatial stream, motion stream and fusion)"
    metrics: ClassVar[tuple[Metric, ...]] = _METRICS
    judges: ClassVar[Literal["frames", "clips"]] = "clips"
    sample_metric: ClassVar[Metric] = Metric("probability", description="of the true class, by the fusion")
    predictions_as = ".csv"

    def all_metrics(self) -> tuple[Metric, ...]:
        """Return the overall metrics, and "fusion_top1[class]" for each class."""
        classes = (Metric(f"fusion_top1[{name}]", description=f"fusion_top1 of {name}") for name in self.classes)
        return (*_METRICS, *classes)

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        """Check the class probabilities of one clip (`ClipScores.check`)."""
        check_type(prediction, ClipScores).check(classes)

    def check_target(self, target: Any, size: tuple[int, int]) -> None:
        """Check the class of one clip: a whole number, the index of one of the dataset's classes."""
        check_label("class", target, len(self.classes))

    def score(self, prediction: ClipScores, target: int) -> Statistics:
        """Return the statistics of one clip.

        Returns:
            label: int64, the true class.
            ranks: int32[3], the rank of the true class (0 is first) in each of `STREAMS`.
            probability: float64, the probability of the true class in the fusion.
        """
        fused = fusion(prediction)
        scores = (prediction.spatial, prediction.motion, fused)
        return {
            "label": np.array(target, np.int64),
            "ranks": np.array([_rank(stream, target) for stream in scores], np.int32),
            "probability": np.array(fused[target], np.float64),
        }

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Return all metrics, each float64[R], of R weighted sets of N clips; NaN for a set without any clip."""
        return self.reducer(statistics)(weights)

    def reducer(self, statistics: Sequence[Statistics], metrics: Collection[str] | None = None) -> Reducer:
        """Return `reduce` for these clips, prepared for several calls; it computes all metrics."""
        ranks = np.array([clip["ranks"] for clip in statistics], np.int64).reshape(-1, len(STREAMS))
        labels = np.array([clip["label"] for clip in statistics], np.int64)
        chances = np.array([clip["probability"] for clip in statistics], np.float64)
        occurring = np.unique(labels)
        one_hot = labels[:, None] == occurring

        def reduce(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
            set_weights = np.ones((1, len(statistics))) if weights is None else np.asarray(weights, np.float64)
            total = set_weights.sum(axis=1)
            values = {
                f"{name}_top{count}": ratio(set_weights @ (ranks[:, index] < count), total)
                for index, name in enumerate(STREAMS)
                for count in (1, 5)
            }
            of_class = set_weights @ one_hot
            accuracy = ratio(set_weights @ (one_hot & (ranks[:, 2:] < 1)), of_class)
            occurs = of_class > 0
            values["mean_class_accuracy"] = ratio(np.where(occurs, accuracy, 0.0).sum(axis=1), occurs.sum(axis=1))
            values["confidence"] = ratio(set_weights @ chances, total)
            by_label = dict(zip(occurring.tolist(), accuracy.T, strict=True))
            undefined = np.full(len(set_weights), np.nan)
            values |= {
                f"fusion_top1[{name}]": by_label.get(place, undefined) for place, name in enumerate(self.classes)
            }
            return {metric.name: values[metric.name] for metric in self.all_metrics()}

        return reduce

    def hits(self, statistics: Sequence[Statistics]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield which clips are right, for top-1 and top-5 of each stream, and for top-1 of each class."""
        ranks = np.array([clip["ranks"] for clip in statistics], np.int64).reshape(-1, len(STREAMS))
        labels = np.array([clip["label"] for clip in statistics], np.int64)
        for index, name in enumerate(STREAMS):
            for count in (1, 5):
                yield f"{name}_top{count}", (ranks[:, index] < count).astype(np.float64)
        right = (ranks[:, 2] < 1).astype(np.float64)
        for label in np.unique(labels):
            if 0 <= label < len(self.classes):
                yield f"fusion_top1[{self.classes[label]}]", np.where(labels == label, right, np.nan)

    def breakdowns(self) -> dict[str, tuple[str, ...]]:
        """Return groups of metrics for reports: top-1 of each class, top-1 of each stream, and the confidence."""
        streams = tuple(f"{name}_top1" for name in STREAMS)
        return {**super().breakdowns(), "streams": streams, "confidence": ("confidence",)}

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Callable[[ClipScores], ClipScores]:
        """Return a function that converts scores from the model's classes to the dataset's classes, by name.

        The model's additional classes are appended, so that they still count as mistakes. A class that the model does
        not have gets probability 0.

        Raises:
            WeightsError: the model and the dataset have no class in common.
        """
        if not set(model_classes) & set(self.classes):
            raise WeightsError(
                f"the weights know the classes {_some(model_classes)}, dataset {dataset} has {_some(self.classes)}: "
                "none in common."
            )
        order = [model_classes.index(name) if name in model_classes else -1 for name in self.classes]
        order += [index for index, name in enumerate(model_classes) if name not in self.classes]
        if order == list(range(len(model_classes))):
            return lambda prediction: prediction
        places = np.array(order)

        def translate(prediction: ClipScores) -> ClipScores:
            streams: list[Any] = [prediction.spatial, prediction.motion]
            spatial, motion = (np.where(places >= 0, scores[places], 0).astype(scores.dtype) for scores in streams)
            return ClipScores(spatial, motion)

        return translate

    def translation_notes(self, model_classes: tuple[str, ...], dataset: str) -> list[str]:
        """Return a note that lists the dataset's classes that the model does not have; empty if there are none."""
        missing = [name for name in self.classes if name not in model_classes]
        if not missing:
            return []
        return [
            f"dataset {dataset}: the model lacks {len(missing)} of its {len(self.classes)} classes ({_some(missing)}); "
            "their clips count as wrong."
        ]

    def sample_score(self, statistics: Sequence[Statistics]) -> float | None:
        """Return the probability of the true class in the fusion."""
        return float(np.mean([clip["probability"] for clip in statistics])) if statistics else None

    def chance(self, statistics: Sequence[Statistics], targets: Iterable[Any]) -> float | None:
        """Return the share of the most frequent class, and two standard errors of it, by which a guess may be lucky.

        None if there are too few clips or classes to tell a guess from knowledge.
        """
        _, counts = np.unique([int(clip["label"]) for clip in statistics], return_counts=True)
        share, clips = counts.max(initial=0) / max(1, counts.sum()), counts.sum()
        level = float(share + 2 * np.sqrt(share * (1 - share) / max(1, clips)))
        return level if level < 1 else None

    def as_target(self, prediction: ClipScores) -> int:
        """Return the most probable class in the fusion; the first one if several are equally probable."""
        return int(fusion(prediction).argmax())

    def write_predictions(self, frames: Iterable[KeptFrame], target: Path) -> None:
        write_scores(frames, target, self.classes)

    def draw(self, image: NDArray[np.uint8], prediction: ClipScores) -> NDArray[np.uint8]:
        """Draw the most probable classes, with the probabilities of each stream."""
        from harness_tasks.action.drawing import draw_scores

        return draw_scores(image, prediction, fusion(prediction), self.classes)

    def draw_target(self, image: NDArray[np.uint8], target: int) -> NDArray[np.uint8]:
        """Draw the name of the true class."""
        from harness_tasks.action.drawing import draw_class

        return draw_class(image, target, self.classes)

    def enlarged(self, result: Any, times: int) -> Any:
        """Return the result unchanged: a class has no position in the image."""
        return result


def _rank(scores: NDArray[np.float32] | NDArray[np.float64], target: int) -> int:
    """Return the number of other classes with at least the same probability; NaN counts as more probable."""
    return int((~(scores < scores[target])).sum()) - 1


def _some(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
