"""What the promises of models are tried on: samples, a loaded model, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import ContentError, WeightsError
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, skip
from harness.testing.tools.pictures import photograph

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline, Sample
    from harness.model import Model
    from harness.task import Task

__all__ = ["ModelTrial", "examples_of", "open_dataset"]


class ModelTrial(ConfiguredPromises):
    """A model, loaded once, and the samples that it is tried on; see `harness.testing.ModelPromises`."""

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
    made = type("ExampleSource", (ModelTrial,), {"spec": model, "dataset": dataset, "_kept": {}})()
    if made.task.name != spec.partition(":")[0]:
        raise TypeError(f"model {model} is for task {made.task.name}, not for {spec}")
    translate = made.task.translator(made.model.classes, dataset)
    pairs = [
        (translate(prediction), sample.targets[frame])
        for (outline, sample), predictions in zip(made.pairs, made.predictions, strict=True)
        for frame, prediction in zip(outline.scored, predictions, strict=True)
    ]
    return pairs, made.class_names, made.pairs[0][1].frames.shape[1:3]
