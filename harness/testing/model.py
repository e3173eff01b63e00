"""What every model promises (`harness.model.Model`)."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import ContentError, HarnessError, WeightsError
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.elsewhere import pickled
from harness.testing.tools.likeness import alike
from harness.testing.tools.pictures import black, photograph
from harness.testing.tools.watch import written

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline, Sample
    from harness.model import Model
    from harness.task import Task

__all__ = ["PredictionPromises", "examples_of", "open_dataset"]


class PredictionPromises(ConfiguredPromises):
    """What every model promises of its predictions; see `harness.testing.ModelPromises`."""

    kind = "model"
    dataset: ClassVar[str] = ""
    split: ClassVar[str] = ""
    root: ClassVar[Path | None] = None
    weights: ClassVar[str | None] = None
    classes: ClassVar[tuple[str, ...]] = ()
    count: ClassVar[int] = 3
    device: ClassVar[str] = "cpu"
    tolerance: ClassVar[float] = 1e-3
    steps: ClassVar[int] = 6
    learning_rate: ClassVar[float] = 1e-3
    _kept: ClassVar[dict[str, Any]] = {}

    @classmethod
    def setup_class(cls) -> None:
        cls._kept = {}

    @classmethod
    def teardown_class(cls) -> None:
        cls._kept = {}

    # What it is tried on

    @property
    def source(self) -> Dataset | None:
        """The opened dataset; None without one."""
        if not self.dataset:
            return None
        if "source" not in self._kept:
            self._kept["source"] = open_dataset(self.dataset, type(self.make()).task, self.split, self.root)
        opened: Dataset = self._kept["source"]
        return opened

    def samples(self) -> Sequence[tuple[Outline, Sample]]:
        """Return three samples or more of equal size, with their outlines. Override it for a model with other needs."""
        from harness.dataset import Outline, Sample

        if (source := self.source) is not None:
            places = list(range(len(source)))[: 4 * self.count]
            found = [(source.outline(place), source[place]) for place in places[: self.count]]
            return [pair for pair in found if pair[1].frames.shape == found[0][1].frames.shape]
        frames = [photograph(number, 96, 128)[None].copy() for number in range(self.count)]
        return [(Outline(f"picture {n}", 96, 128), Sample(f"picture {n}", one, {})) for n, one in enumerate(frames)]

    @property
    def pairs(self) -> Sequence[tuple[Outline, Sample]]:
        """The samples, read once."""
        if "samples" not in self._kept:
            self._kept["samples"] = self.samples()
        found: Sequence[tuple[Outline, Sample]] = self._kept["samples"]
        return found

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the dataset."""
        return tuple(self.source.classes) if self.source is not None else self.classes

    @cached_property
    def task(self) -> Task:
        """The model's task, with the dataset's classes."""
        from harness.discovery.plugins import installed

        made: Task = installed().get("task", type(self.make()).task)(self.class_names)
        return made

    @property
    def model(self) -> Model:
        """The model with its network, loaded once."""
        if "model" not in self._kept:
            made: Model = self.make()
            if why := made.available():
                skip(f"the model does not work on this machine: {why}")
            try:
                weights = made.resolve_weights(self.weights, self.class_names)
            except WeightsError as error:
                skip(f"there are no weights: {error}")
            made.load(weights, self.class_names, self.device)
            self._kept["model"] = made
        loaded: Model = self._kept["model"]
        return loaded

    def _prepared(self, outline: Outline, frames: Any, model: Model | None = None) -> Any:
        from harness.model import NoMemo

        return (model or self.model).prepare(frames, outline.scored, NoMemo())

    def _predict(self, pairs: Sequence[tuple[Outline, Any]]) -> list[list[Any]]:
        """Predict on pairs of an outline and frames, as one batch."""
        import torch

        with torch.inference_mode():
            return self.model.predict(self.model.collate([self._prepared(*pair) for pair in pairs]))

    @property
    def frames(self) -> list[tuple[Outline, Any]]:
        """Outlines and frames of the samples."""
        return [(outline, sample.frames) for outline, sample in self.pairs]

    @property
    def predictions(self) -> list[list[Any]]:
        """What the model predicts on the samples, each in a batch of its own, computed once."""
        if "predictions" not in self._kept:
            self._kept["predictions"] = [one for pair in self.frames for one in self._predict([pair])]
        found: list[list[Any]] = self._kept["predictions"]
        return found

    def _check(self, outline: Outline, predictions: Sequence[Any]) -> None:
        for prediction in predictions:
            try:
                self.task.check_prediction(prediction, (outline.height, outline.width), len(self.model.classes))
            except ContentError as error:
                broken(f"task {self.task.name} refuses a prediction: {error}")

    # Preparing

    def test_preparing_needs_no_network(self) -> None:
        """A pickled model without its network prepares the same input as the loaded one."""
        fresh = pickle.loads(pickled(self.make(), "the model"))  # noqa: S301 - pickled a moment ago
        for pair in self.frames:
            promise(
                alike(self._prepared(*pair, fresh), self._prepared(*pair)),
                "prepare() depends on load(): workers prepare without the network.",
            )

    def test_preparing_leaves_the_frames(self) -> None:
        """Preparing does not write to the frames, and takes those that cannot be written to."""
        import warnings

        for outline, frames in self.frames:
            given = frames.copy()
            self._prepared(outline, given)
            promise((given == frames).all(), "prepare() changes the frames: other models see them too; work on a copy.")
            given.flags.writeable = False
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # torch's, of arrays that cannot be written to
                    self._prepared(outline, given)
            except (ValueError, TypeError) as error:
                broken(f"prepare() does not take frames that cannot be written to ({error}).")

    def test_prepared_shapes_tell_what_fits_into_a_batch(self) -> None:
        """Samples of equal `prepared_shape` are prepared to equal shapes, of whatever size they are."""
        shapes: dict[tuple[int, ...], Any] = {}
        for outline, frames in (*self.frames, *self._enlarged()):
            told = tuple(self.model.prepared_shape(outline))
            found = _shapes(self._prepared(outline, frames))
            promise(
                shapes.setdefault(told, found) == found,
                f"prepared_shape() is {told} for inputs of shapes {shapes[told]} and {found}: no batch holds both.",
            )

    # Predicting

    def test_each_scored_frame_has_a_prediction(self) -> None:
        """A batch gives a list for each sample with one prediction for each scored frame, as the task defines it."""
        found = self._predict(self.frames)
        promise(
            isinstance(found, list) and len(found) == len(self.frames),
            f"predict() gives {len(found)} lists for {len(self.frames)} samples: give one list for each.",
        )
        for (outline, _), predictions in zip(self.frames, found, strict=True):
            promise(
                len(predictions) == len(outline.scored),
                f"predict() gives {len(predictions)} predictions for {len(outline.scored)} scored frames.",
            )
            self._check(outline, predictions)

    def test_order_is_kept(self) -> None:
        """Predictions come in the order of the samples, whatever the order is."""
        backward = self._predict(self.frames[::-1])[::-1]
        for place, (one, other) in enumerate(zip(self._predict(self.frames), backward, strict=True)):
            promise(
                self._near(one, other),
                f"sample {place} of the batch has another prediction if the batch is turned round: keep the order, and "
                "let no sample change the prediction of another (statistics of the batch, shared padding).",
            )

    def test_a_batch_is_its_samples(self) -> None:
        """A batch of n gives what n batches of one give, to the tolerance of arithmetic."""
        for place, (one, other) in enumerate(zip(self.predictions, self._predict(self.frames), strict=True)):
            promise(
                self._near(one, other),
                f"sample {place} has another prediction alone than in a batch: put the network into evaluation mode "
                "(`eval()`), and undo the padding of the batch for each sample.",
            )

    def _near(self, one: Any, other: Any) -> bool:
        return alike(one, other, self.tolerance, 0.005)

    def test_the_same_again(self) -> None:
        """The same batch gives the same predictions."""
        promise(
            alike(self._predict(self.frames[:2]), self._predict(self.frames[:2]), 1e-5, 0.001),
            "the same batch gives other predictions: put the network into evaluation mode, and draw no random numbers.",
        )

    def test_predictions_depend_on_the_picture(self) -> None:
        """Different samples have different predictions."""
        first = self.predictions[0]
        promise(
            any(not alike(first, other) for other in self.predictions[1:]),
            "all samples have the same prediction: is the input prepared, and are the weights loaded?",
        )

    def test_nothing_found(self) -> None:
        """A black frame gives a valid prediction too, with nothing in it if need be."""
        outline, frames = self.frames[0]
        found = self._predict([(outline, black(*frames.shape[:3]))])
        self._check(outline, found[0])

    def test_classes_are_set(self) -> None:
        """`load` sets `classes` to the names that labels are indices into."""
        classes = self.model.classes
        promise(
            isinstance(classes, tuple) and all(isinstance(name, str) for name in classes),
            f"classes are {classes!r} after load(): set `self.classes` to a tuple of names.",
        )
        promise(classes or not self.class_names, "load() sets no classes, and the dataset has some.")
        promise(len(set(classes)) == len(classes), "a class is there twice.")

    def test_it_recognises_what_the_dataset_shows(self) -> None:
        """On the dataset the model is better than if its predictions belonged to other samples, or to other classes."""
        if self.source is None:
            skip("there is no dataset: name one in `dataset`")
        translate = self.task.translator(self.model.classes, self.dataset)
        targets = [[sample.targets[frame] for frame in outline.scored] for outline, sample in self.pairs]
        own = self._metric(
            [
                (translate(p), t)
                for ps, ts in zip(self.predictions, targets, strict=True)
                for p, t in zip(ps, ts, strict=True)
            ]
        )
        moved = [*targets[1:], targets[0]]
        other = self._metric(
            [
                (translate(p), t)
                for ps, ts in zip(self.predictions, moved, strict=True)
                for p, t in zip(ps, ts, strict=True)
            ]
        )
        promise(
            own > other,
            f"the model scores {own:.3g} on its samples, {other:.3g} on exchanged ones: is the order of classes that "
            "of `classes` (background counted or not), and are coordinates (x, y) of the source's pixels?",
        )

    def _metric(self, pairs: Sequence[tuple[Any, Any]]) -> float:
        """The primary metric of pairs of prediction and target, larger for better; -inf where it is undefined."""
        import math

        metric = next(metric for metric in self.task.metrics if metric.primary)
        value = float(self.task.reduce([self.task.score(*pair) for pair in pairs], None)[metric.name][0])
        return -math.inf if math.isnan(value) else value if metric.higher_is_better else -value

    def _enlarged(self) -> list[tuple[Outline, Any]]:
        """The samples at twice their size, each pixel four times."""
        import numpy as np

        return [
            (
                replace(outline, height=2 * outline.height, width=2 * outline.width),
                np.repeat(np.repeat(frames, 2, 1), 2, 2),
            )
            for outline, frames in self.frames
        ]

    def test_coordinates_are_the_sources(self) -> None:
        """On a picture of twice the size, coordinates are twice as large, and maps are as large as the picture."""
        enlarged = self._enlarged()
        found = [one for pair in enlarged for one in self._predict([pair])]
        for (outline, _), predictions in zip(enlarged, found, strict=True):
            self._check(outline, predictions)
        try:
            larger = [[self.task.enlarged(p, 2) for p in ps] for ps in self.predictions]
            wanted = [[self.task.as_target(p) for p in ps] for ps in larger]
            unscaled = [[self.task.as_target(p) for p in ps] for ps in self.predictions]
        except NotImplementedError:
            skip(f"task {self.task.name} has no coordinates (`enlarged`, `as_target`)")
        if alike(larger, self.predictions):
            skip(f"predictions of task {self.task.name} have no coordinates")
        right, wrong = (
            self._metric([(p, t) for ps, ts in zip(found, some, strict=True) for p, t in zip(ps, ts, strict=True)])
            if _fits(found, some)
            else float("-inf")
            for some in (wanted, unscaled)
        )
        if right == wrong == float("-inf"):
            skip("the model finds nothing in the samples")
        promise(
            right > wrong,
            "on a picture of twice the size the predictions are not where they should be: multiply coordinates by the "
            "size of the source over that of the network's input, in predict().",
        )

    def test_predictions_travel(self) -> None:
        """Predictions are on the CPU, hold no tensors of torch, and can be pickled."""
        for predictions in self.predictions:
            data = pickled(predictions, "a prediction")
            promise(
                b"torch" not in data,
                "a prediction holds a tensor of torch: give arrays of NumPy (`.cpu().numpy()`).",
            )

    def test_weights_are_resolved_alike(self) -> None:
        """The same weights have the same identity each time, and a file that is not there is refused."""
        first, again = (self.make().resolve_weights(self.weights, self.class_names) for _ in range(2))
        promise(first == again, f"resolve_weights() gives {first} and then {again}: identify the file by its content.")
        if first.path is not None and first.path.is_file() and first.sha256:
            import hashlib

            digest = hashlib.sha256(first.path.read_bytes()).hexdigest()
            promise(first.sha256 == digest, f"sha256 of {first.path.name} is {digest}, not {first.sha256}.")
        try:
            self.make().resolve_weights("/no/such/file.safetensors", self.class_names)
        except HarnessError:
            return
        except Exception as error:  # noqa: BLE001 - any other error breaks the promise
            broken(f"a missing file of weights raises {type(error).__name__}: raise WeightsError.")
        if first.path is not None:
            broken("a missing file of weights is taken without a word: raise WeightsError.")

    def test_it_is_silent(self) -> None:
        """Predicting writes nothing to the standard streams."""
        pair = self.frames[:1]
        self._predict(pair)
        with written() as texts:
            self._predict(pair)
        promise(not texts, f"predicting writes {texts}: turn the library's messages off.")


def _fits(found: Sequence[Sequence[Any]], targets: Sequence[Sequence[Any]]) -> bool:
    """Whether predictions and targets that are maps have equal shapes."""
    one, other = found[0][0], targets[0][0]
    shapes = [getattr(thing, "shape", None) or _shapes(thing) for thing in (one, other)]
    return not (
        len(_plain(shapes[0])) >= 2 and len(_plain(shapes[1])) >= 2 and _plain(shapes[0])[-2:] != _plain(shapes[1])[-2:]
    )


def _plain(shape: Any) -> tuple[Any, ...]:
    return tuple(shape) if shape and all(isinstance(side, int) for side in shape) else ()


def _shapes(prepared: Any) -> Any:
    """The shapes of all tensors and arrays of a prepared input."""
    if hasattr(prepared, "shape"):
        return tuple(prepared.shape)
    if isinstance(prepared, Mapping):
        return {name: _shapes(one) for name, one in prepared.items()}
    if isinstance(prepared, Sequence) and not isinstance(prepared, str | bytes):
        return [_shapes(one) for one in prepared]
    return None


def open_dataset(name: str, task: str, split: str = "", root: Path | None = None) -> Any:
    """Return a dataset of the plugins for a task, opened."""
    from harness.discovery.plugins import installed
    from harness.planning.grammar import parse

    parsed = parse(name, levels=False)
    made = installed().get("dataset", parsed.name)(task, split or None, root, **parsed.options)
    made.open()
    return made


def examples_of(spec: str, dataset: str, model: str) -> tuple[list[tuple[Any, Any]], tuple[str, ...], tuple[int, int]]:
    """Return pairs of what a model predicts and the targets of a dataset, to try a task with.

    Args:
        spec: the task.
        dataset: the dataset.
        model: the model.

    Returns:
        the pairs, the dataset's classes, and the height and width of the frames.
    """
    made = type("ExampleSource", (PredictionPromises,), {"spec": model, "dataset": dataset, "_kept": {}})()
    if made.task.name != spec.partition(":")[0]:
        raise TypeError(f"model {model} is for task {made.task.name}, not for {spec}")
    translate = made.task.translator(made.model.classes, dataset)
    pairs = [
        (translate(prediction), sample.targets[frame])
        for (outline, sample), predictions in zip(made.pairs, made.predictions, strict=True)
        for frame, prediction in zip(outline.scored, predictions, strict=True)
    ]
    return pairs, made.class_names, made.pairs[0][1].frames.shape[1:3]
