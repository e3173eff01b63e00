"""A sound task, which counts, and tasks that have one fault each."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import ContentError
from harness.task import Metric, Task
from harness.testing import TaskPromises

PAIRS = [(3, 3), (4, 6), (0, 2), (7, 7), (1, 5)]


class SoundTask(Task):
    """The mean absolute error of counts, and the share of exact ones."""

    name = "kit-counting"
    summary = "how many objects there are"
    metrics = (
        Metric("mae", higher_is_better=False, primary=True),
        Metric("exact"),
    )

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        if not isinstance(prediction, int) or prediction < 0:
            raise ContentError(f"count: a whole number is expected, found {prediction!r}.")

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {"error": np.array(abs(prediction - target), np.float64)}

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        errors = np.array([float(one["error"]) for one in statistics])
        weights = np.ones((1, len(errors))) if weights is None else weights
        with np.errstate(all="ignore"):
            total = weights.sum(axis=1)
            return {"mae": weights @ errors / total, "exact": weights @ (errors == 0) / total}

    def hits(self, statistics: Sequence[Any]) -> Iterable[tuple[str, Any]]:
        return [("exact", np.array([float(one["error"] == 0) for one in statistics]))]

    def as_target(self, prediction: Any) -> Any:
        return prediction

    def draw(self, image: Any, prediction: Any) -> Any:
        return np.minimum(image, 200)


class CountingPromises(TaskPromises):
    """How the sound task and its mutants are tested."""

    def examples(self) -> Sequence[tuple[Any, Any]]:
        return PAIRS

    def perfect(self, target: Any) -> Any:
        return target


class OffByOne(SoundTask):
    """Compares the prediction with the target plus one."""

    broken = "perfect_predictions_are_perfect"

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return super().score(prediction, target + 1)


class BlindToTheTarget(SoundTask):
    """Does not look at the prediction."""

    broken = "wrong_predictions_are_worse"

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return super().score(target, target)


class WrongDirection(SoundTask):
    """Says that a larger error is better."""

    broken = "wrong_predictions_are_worse"
    metrics = (Metric("mae", higher_is_better=True, primary=True), Metric("exact"))


class TranslationShifts(SoundTask):
    """Translates labels by one too many."""

    broken = "its_own_translation_changes_nothing"

    def translator(self, model_classes: tuple[str, ...], dataset: str) -> Any:
        return lambda prediction: prediction + 1


class ScoreRemembers(SoundTask):
    """Adds the error of the frame before."""

    broken = "order_changes_nothing"
    before = 0.0

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        found = float(abs(prediction - target))
        self.before, total = found, found + self.before
        return {"error": np.array(total, np.float64)}


class OrderCounts(SoundTask):
    """Weighs frames by their place."""

    broken = "order_changes_nothing"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        weights = np.ones((1, len(statistics))) if weights is None else weights
        return super().reduce(statistics, weights * np.arange(1, len(statistics) + 1))


class KeepsWhatItScored(SoundTask):
    """Keeps errors in the object, and reduces those."""

    broken = "shards_change_nothing"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: list[float] = []

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        self.seen.append(float(abs(prediction - target)))
        return super().score(prediction, target)

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        found = super().reduce(statistics, weights)
        return {**found, "mae": found["mae"] + (0 if self.seen else 1)}


class StatisticsAreObjects(SoundTask):
    """Gives texts as statistics, which no store keeps."""

    broken = "shards_change_nothing"

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {**super().score(prediction, target), "what": np.array(["a"], object)}


class WeightsAreIgnored(SoundTask):
    """Counts each frame once, whatever its weight."""

    broken = "weights_are_copies"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return super().reduce(statistics, None if weights is None else np.ones_like(weights))


class WeightsAreSquared(SoundTask):
    """Weighs twice."""

    broken = "weights_are_copies"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return super().reduce(statistics, None if weights is None else weights**2)


class DividedByTheNumber(SoundTask):
    """Divides by the number of frames, not by the sum of their weights."""

    broken = "weights_are_copies"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        found = super().reduce(statistics, weights)
        total = len(statistics) if weights is None else weights.sum(axis=1)
        return {name: values * total / len(statistics) for name, values in found.items()}


class NoWeightsAreOthers(SoundTask):
    """Leaves the first frame out without weights."""

    broken = "no_weights_are_ones"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return super().reduce(statistics[1:] if weights is None else statistics, weights)


class FirstRowForAll(SoundTask):
    """Gives each set of weights the value of the first."""

    broken = "many_sets_are_each_alone"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        found = super().reduce(statistics, weights)
        return {name: np.full_like(values, values[0]) for name, values in found.items()}


class UndefinedIsZero(SoundTask):
    """Gives 0 where nothing counts."""

    broken = "what_is_undefined_is_nan"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return {name: np.nan_to_num(values) for name, values in super().reduce(statistics, weights).items()}


class UndefinedRaises(SoundTask):
    """Raises an error where nothing counts."""

    broken = "what_is_undefined_is_nan"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        if weights is not None and not weights.any():
            raise ZeroDivisionError("no frames")
        return super().reduce(statistics, weights)


class UndeclaredMetric(SoundTask):
    """Reduces to a metric that it does not declare."""

    broken = "metrics_are_those_declared"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        found = super().reduce(statistics, weights)
        return {**found, "rmse": found["mae"]}


class SinglePrecision(SoundTask):
    """Gives float32."""

    broken = "metrics_are_those_declared"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return {name: values.astype(np.float32) for name, values in super().reduce(statistics, weights).items()}


class TwoArePrimary(SoundTask):
    """Has two main metrics."""

    broken = "metrics_are_those_declared"
    metrics = (Metric("mae", higher_is_better=False, primary=True), Metric("exact", primary=True))


class ReducerIsAnother(SoundTask):
    """Prepares a reduction that rounds."""

    broken = "prepared_reductions_are_those_of_reduce"

    def reducer(self, statistics: Sequence[Any], metrics: Any = None) -> Any:
        return lambda weights: {name: values.round(2) for name, values in self.reduce(statistics, weights).items()}


class HitsAreMisses(SoundTask):
    """Takes wrong frames for right ones."""

    broken = "hits_are_their_metric"

    def hits(self, statistics: Sequence[Any]) -> Iterable[tuple[str, Any]]:
        return [(name, 1 - hits) for name, hits in super().hits(statistics)]


class ReduceSorts(SoundTask):
    """Writes to the statistics that it reduces."""

    broken = "scoring_changes_nothing"

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        found = super().reduce(statistics, weights)
        for one in statistics:
            if one["error"].flags.writeable:
                one["error"][...] = 0
        return found


class ChecksTooMuch(SoundTask):
    """Refuses that there is nothing."""

    broken = "examples_pass_its_checks"

    def check_prediction(self, prediction: Any, size: tuple[int, int], classes: int) -> None:
        if prediction == 0:
            raise ContentError("count: 0 is no number of objects.")


class DrawsOnTheImage(SoundTask):
    """Draws on the image itself."""

    broken = "drawing_leaves_the_image"

    def draw(self, image: Any, prediction: Any) -> Any:
        image[:10] = random.randrange(100, 200)
        return image


MUTANTS = SoundTask.__subclasses__()
