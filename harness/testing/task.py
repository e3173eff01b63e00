"""What every task promises (`harness.task.Task`)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from harness.discovery.declared import check_metrics
from harness.errors import ContentError, HarnessError
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.likeness import alike

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.task import Metric, Statistics, Task

__all__ = ["TaskPromises"]


class TaskPromises(ConfiguredPromises):
    """What every task promises. A class of tests of a task derives from it, and gives examples::

        from harness.testing import TaskPromises

        class TestCounting(TaskPromises):
            spec = "counting"

            def examples(self):                 # pairs of a prediction and a target, some right and some wrong
                return [(3, 3), (4, 5), (0, 2), (7, 7)]

            def perfect(self, target):          # the prediction that is right in everything
                return target

    Class attributes:
        classes: the dataset's classes that the task is made with.
        size: the height and the width of the frames that the examples belong to, in pixels.
        best: the primary metric of perfect predictions; None for 1 if a larger value is better, else 0.
        dataset: a dataset that the examples are taken from if `examples` is not overridden ("demo-world").
        model: a model that predicts on it; it needs no weights but its own.
    """

    kind = "task"
    classes: ClassVar[tuple[str, ...]] = ()
    size: ClassVar[tuple[int, int]] = (48, 64)
    best: ClassVar[float | None] = None
    dataset: ClassVar[str] = ""
    model: ClassVar[str] = ""

    _examples: ClassVar[Sequence[tuple[Any, Any]] | None] = None

    @classmethod
    def setup_class(cls) -> None:
        if cls.examples is TaskPromises.examples and cls.dataset and cls.model:
            from harness.testing.model import examples_of

            cls._examples, cls.classes, cls.size = examples_of(cls.spec, cls.dataset, cls.model)

    def examples(self) -> Sequence[tuple[Any, Any]]:
        """Return at least three pairs of a prediction and a target of one frame, not all of them right.

        The default takes the samples of `dataset` and what `model` predicts on them.
        """
        if self._examples is None:
            skip("there are no examples: override examples(), or name a dataset and a model")
        return self._examples

    def perfect(self, target: Any) -> Any:
        """Return the prediction that is right in everything for a target.

        The default gives NotImplemented: then targets are made of the predictions, by `Task.as_target`.
        """
        return NotImplemented

    def made_of(self, cls: type[Any], options: dict[str, Any]) -> Any:
        return cls(self.classes, **options)

    @cached_property
    def task(self) -> Task:
        """The task that a promise is tried with."""
        made: Task = self.make()
        return made

    @cached_property
    def pairs(self) -> Sequence[tuple[Any, Any]]:
        """The examples."""
        return self.examples()

    @property
    def primary(self) -> Metric:
        """The task's main metric."""
        return next(metric for metric in self.task.metrics if metric.primary)

    def _perfect_pairs(self) -> list[tuple[Any, Any]]:
        pairs = [(self.perfect(target), target) for _, target in self.pairs]
        if any(prediction is NotImplemented for prediction, _ in pairs):
            try:
                return [(prediction, self.task.as_target(prediction)) for prediction, _ in self.pairs]
            except NotImplementedError:
                skip("neither perfect() of the test nor as_target() of the task is there")
        return pairs

    def _scored(self, pairs: Sequence[tuple[Any, Any]]) -> list[Statistics]:
        return [self.task.score(prediction, target) for prediction, target in pairs]

    def _reduced(self, statistics: Sequence[Statistics], weights: Any = None) -> dict[str, NDArray[np.float64]]:
        return self.task.reduce(statistics, weights)

    # Values

    def test_perfect_predictions_are_perfect(self) -> None:
        """Predictions that are right in everything get the best value of the main metric."""
        metric = self.primary
        best = self.best if self.best is not None else float(metric.higher_is_better)
        found = float(self._reduced(self._scored(self._perfect_pairs()))[metric.name][0])
        promise(
            abs(found - best) < 1e-6,
            f"{metric.name} of perfect predictions is {found:g}, not {best:g}: compare labels and coordinates exactly, "
            "or set `best` if the metric's best value is another one.",
        )

    def test_wrong_predictions_are_worse(self) -> None:
        """Predictions that belong to other frames get a worse value of the main metric."""
        metric = self.primary
        pairs = self._perfect_pairs()
        moved = [(pairs[(place + 1) % len(pairs)][0], target) for place, (_, target) in enumerate(pairs)]
        right, wrong = (float(self._reduced(self._scored(some))[metric.name][0]) for some in (pairs, moved))
        promise(
            (wrong < right) if metric.higher_is_better else (wrong > right),
            f"{metric.name} is {right:g} for perfect predictions, and {wrong:g} for those of other frames: compare the "
            "prediction with the target, and state the right `higher_is_better`.",
        )

    def test_its_own_translation_changes_nothing(self) -> None:
        """Predictions of a model with the dataset's own classes are scored as they are."""
        translate = self.task.translator(self.task.classes, "dataset")
        there = [(translate(copy.deepcopy(prediction)), target) for prediction, target in self.pairs]
        promise(
            alike(self._scored(there), self._scored(self.pairs)),
            "translator() changes predictions though both have the same classes: map each label to the same name.",
        )

    # Statistics

    def test_order_changes_nothing(self) -> None:
        """The metrics do not depend on the order in which frames were scored."""
        forward, backward = self._scored(self.pairs), self._scored(self.pairs[::-1])[::-1]
        promise(
            alike(forward, backward),
            "a frame's statistics depend on the frames that were scored before: keep nothing in the task in score().",
        )
        first, other = self._reduced(forward), self._reduced(forward[::-1])
        promise(
            alike(first, other, 1e-9),
            "the metrics depend on the order of the frames: reduce() sums over them, whatever their order.",
        )

    def test_shards_change_nothing(self) -> None:
        """Statistics that were scored elsewhere and stored give the same metrics, to the last bit."""
        from harness.statistics.packing import pack, unpack

        whole = self._scored(self.pairs)
        middle = max(1, len(whole) // 2)
        shards = []
        for part in (self.pairs[:middle], self.pairs[middle:]):
            task: Task = self.make()
            for prediction, target in part:
                try:
                    shards += list(unpack(pack([task.score(prediction, target)])))
                except HarnessError as error:
                    broken(f"statistics cannot be stored ({error}): give named arrays of numbers.")
        promise(
            alike(self._reduced(whole), self.make().reduce(shards, None)),
            "statistics that were stored give other metrics: put all that reduce() needs into the arrays.",
        )

    def test_weights_are_copies(self) -> None:
        """A frame of weight 2 counts as two frames, one of weight 0 as none."""
        import numpy as np

        statistics = self._scored(self.pairs)
        weights = np.array([place % 3 for place in range(1, len(statistics) + 1)], np.float64)
        copies = [one for one, weight in zip(statistics, weights, strict=True) for _ in range(int(weight))]
        weighted, copied = self._reduced(statistics, weights[None]), self._reduced(copies)
        promise(
            alike(weighted, copied, 1e-9),
            f"with the weights {weights.tolist()} the metrics are {_short(weighted)}, but {_short(copied)} of as many "
            "copies: multiply each frame's statistics by its weight before anything is divided.",
        )

    def test_no_weights_are_ones(self) -> None:
        """Without weights every frame counts once."""
        import numpy as np

        statistics = self._scored(self.pairs)
        ones = np.ones((1, len(statistics)))
        promise(
            alike(self._reduced(statistics), self._reduced(statistics, ones), 1e-12),
            "reduce(statistics, None) gives other metrics than weights of 1: None counts every frame once.",
        )

    def test_many_sets_are_each_alone(self) -> None:
        """Several rows of weights give for each row what it gives alone."""
        import numpy as np

        statistics = self._scored(self.pairs)
        weights = np.random.default_rng(3).integers(0, 4, (4, len(statistics))).astype(np.float64)
        together = self._reduced(statistics, weights)
        for row in range(len(weights)):
            alone = self._reduced(statistics, weights[row : row + 1])
            promise(
                alike({name: values[row : row + 1] for name, values in together.items()}, alone, 1e-9),
                "reduce() of several rows of weights differs from reduce() of each row: no row may know the others.",
            )

    def test_what_is_undefined_is_nan(self) -> None:
        """A metric without any frame that counts is NaN: not 0, and no error."""
        import numpy as np

        statistics = self._scored(self.pairs)
        try:
            with np.errstate(all="ignore"):
                found = self._reduced(statistics, np.zeros((1, len(statistics))))
        except (ZeroDivisionError, ValueError, IndexError, FloatingPointError) as error:
            broken(f"reduce() raises {type(error).__name__} where nothing counts: give NaN.")
        value = float(found[self.primary.name][0])
        promise(np.isnan(value), f"{self.primary.name} of no frame is {value:g}: give NaN, so that it is left out.")

    def test_metrics_are_those_declared(self) -> None:
        """Each declared metric has one value for each row of weights, as float64; one metric is primary."""
        import numpy as np

        check_metrics(self.task)
        statistics = self._scored(self.pairs)
        found = self._reduced(statistics, np.ones((3, len(statistics))))
        names = [metric.name for metric in self.task.all_metrics()]
        promise(
            set(found) == set(names),
            f"reduce() gives {sorted(found)}, all_metrics() declares {sorted(names)}: both need the same names.",
        )
        for name, values in found.items():
            promise(
                getattr(values, "shape", None) == (3,) and values.dtype == np.float64,
                f"{name} is {getattr(values, 'dtype', type(values))}{list(getattr(values, 'shape', ()))} for 3 rows of "
                "weights: give float64[3].",
            )

    def test_prepared_reductions_are_those_of_reduce(self) -> None:
        """`reducer` gives the values of `reduce` to the last bit, also for some metrics alone."""
        import numpy as np

        statistics = self._scored(self.pairs)
        weights = np.random.default_rng(4).integers(0, 3, (3, len(statistics))).astype(np.float64)
        weights[:, 0] = 1
        expected = self._reduced(statistics, weights)
        for wanted in (None, [self.primary.name]):
            found = self.task.reducer(statistics, wanted)(weights)
            for name in wanted or expected:
                promise(
                    name in found and np.array_equal(found[name], expected[name], equal_nan=True),
                    f"reducer() gives another {name} than reduce(): both have to compute in the same way.",
                )

    def test_hits_are_their_metric(self) -> None:
        """The mean of `hits` is the metric's value."""
        import numpy as np

        statistics = self._scored(self.pairs)
        values = self._reduced(statistics)
        for name, hits in self.task.hits(statistics):
            promise(name in values, f"hits() names {name}, which is no metric.")
            promise(len(hits) == len(statistics), f"hits() of {name} has {len(hits)} values of {len(statistics)}.")
            counted = hits[~np.isnan(hits)]
            mean = float(counted.mean()) if len(counted) else float("nan")
            promise(
                alike(mean, float(values[name][0]), 1e-9),
                f"the mean of hits() is {mean:g}, {name} is {float(values[name][0]):g}: NaN where a frame counts not.",
            )

    def test_scoring_changes_nothing(self) -> None:
        """Predictions, targets and statistics are not written to."""
        before = pickle.dumps(self.pairs)
        statistics = self._scored(self.pairs)
        promise(
            pickle.dumps(self.pairs) == before or alike(pickle.loads(before), self.pairs),  # noqa: S301
            "score() changes the prediction or the target that it is given: work on a copy.",
        )
        kept = copy.deepcopy(list(statistics))
        self._reduced(statistics)
        promise(alike(kept, list(statistics)), "reduce() changes the statistics that it is given: work on a copy.")

    def test_examples_pass_its_checks(self) -> None:
        """What is right passes `check_prediction` and `check_target`, and is scored."""
        for prediction, target in self.pairs:
            try:
                self.task.check_prediction(prediction, self.size, len(self.task.classes))
                self.task.check_target(target, self.size)
            except ContentError as error:
                broken(f"an example is refused ({error}): the check is too strict, or `classes` or `size` is wrong.")

    def test_drawing_leaves_the_image(self) -> None:
        """Drawings are new images of the same size; the image is not changed."""
        import numpy as np

        image = np.full((*self.size, 3), 90, np.uint8)
        for what, thing in (("draw", self.pairs[0][0]), ("draw_target", self.pairs[0][1])):
            try:
                drawn = getattr(self.task, what)(image, thing)
            except NotImplementedError:
                continue
            promise((image == 90).all(), f"{what}() draws on the image that it is given: draw on a copy.")
            promise(
                drawn.dtype == np.uint8 and drawn.shape == image.shape,
                f"{what}() gives {drawn.dtype}{list(drawn.shape)} for an image uint8{list(image.shape)}.",
            )


def _short(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {float(array[0]):.6g}" for name, array in list(values.items())[:3])
