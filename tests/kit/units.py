"""Units of work over small real frames, for tests of the engine: a model that measures brightness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from harness.batches.read_sample import ReadSample
from harness.codec import Codec
from harness.dataset import Dataset, Outline, Sample
from harness.model import Model, Weights
from harness.records import SampleRow
from harness.task import Metric, Task
from harness.unit import Batch, Cell, Settings, Subject, Todo, Unit
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Jpeg
from kit.pictures import textured
from kit.store_rows import cell

SETTINGS = Settings("cpu", "fp32", 2, 1)


class Numbered(Dataset):
    """Textured images, each with its number as the target.

    Args:
        broken: the numbers of the samples that cannot be read.
    """

    name = "numbered"
    tasks = ("brightness",)
    splits = ("test",)

    def __init__(self, count: int, height: int = 24, width: int = 32, broken: Sequence[int] = ()) -> None:
        super().__init__("brightness", "test")
        self.count, self.height, self.width, self.broken = count, height, width, broken
        self.classes = ("light",)

    def open(self) -> None: ...

    def __len__(self) -> int:
        return self.count

    def outline(self, index: int) -> Outline:
        return Outline(f"image {index}", self.height, self.width)

    def __getitem__(self, index: int) -> Sample:
        if index in self.broken:
            raise OSError("the file is broken")
        return Sample(f"image {index}", textured(self.height, self.width, index)[None], {0: index})

    def fingerprint(self) -> str:
        return "numbered"


class Brightness(Model):
    """Measures the mean of each image.

    Args:
        predict: what to do with a batch instead.
    """

    name = "brightness"
    task = "brightness"

    def __init__(self, predict: Callable[[torch.Tensor], list[list[Any]]] | None = None) -> None:
        super().__init__()
        self.inner = predict

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (outline.height, outline.width, 3)

    def prepare(self, frames: np.ndarray, scored: tuple[int, ...], memo: Any) -> torch.Tensor:
        return torch.from_numpy(frames[0].copy())

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
        self.classes = classes

    def predict(self, batch: torch.Tensor) -> list[list[Any]]:
        if self.inner is not None:
            return self.inner(batch)
        return [[float(image.double().mean())] for image in batch]


class Difference(Task):
    """Keeps what was predicted, and the number of the image."""

    name = "brightness"
    metrics = (Metric("mean", primary=True),)

    def score(self, prediction: Any, target: int) -> Mapping[str, np.ndarray]:
        return {"value": np.array(prediction, np.float64), "number": np.array(target)}

    def reduce(self, statistics: Any, weights: Any = None) -> dict[str, np.ndarray]:
        values = np.array([one["value"].mean() for one in statistics])
        weights = np.ones((1, len(values))) if weights is None else weights
        return {"mean": weights @ values / weights.sum(axis=1)}

    def as_target(self, prediction: Any) -> int:
        return round(1000 * prediction)


def unit(
    count: int = 12,
    model: Model | None = None,
    batch: int = 2,
    reference: bool = False,
    dataset: Dataset | None = None,
    task: Task | None = None,
    levels: Sequence[float] = (50.0, 5.0),
) -> Unit:
    """The uncompressed cell and some levels of JPEG, over some images."""
    dataset = dataset or Numbered(count)
    none = cell("none", None, task="brightness", baseline=None)
    made = (
        Cell(none, Uncompressed(), None, True),
        *(Cell(cell("jpeg", q, task="brightness", baseline=none.key), Jpeg(), q, False) for q in levels),
    )
    todo = tuple(
        Todo(Batch(number, tuple(range(start, min(start + batch, count)))), tuple(range(len(made))))
        for number, start in enumerate(range(0, count, batch))
    )
    subject = Subject(
        task or Difference(dataset.classes),
        model or Brightness(),
        "brightness",
        Weights("none", None, "0" * 64, ()),
        dataset,
        "numbered",
        "numbered",
        tuple(range(count)),
        batch,
        (),
    )
    return Unit(subject, made, todo, reference)


def read_sample(frames: Any, fps: float | None = 10.0) -> ReadSample:
    """A sample of some frames uint8[T, H, W, 3] that a worker has read."""
    row = SampleRow(key="", index=0, id="a", group="a", status="ok")
    return ReadSample(Sample("a", frames, {0: None}, fps=fps), row, Outline("a", *frames.shape[1:3]), b"")


def coded_cell(codec: Codec, level: float) -> Any:
    """What the cache of a worker needs of a cell."""
    identity = {"codec": {"name": codec.name, "options": dict(codec.config), "level": level}}
    return SimpleNamespace(codec=codec, level=level, experiment=SimpleNamespace(identity=identity), fresh=False)
