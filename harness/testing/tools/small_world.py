"""A task, a model and a dataset of a few lines, to give executors some work: how bright is a picture?"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.codec import Codec, Encoded, Level, Scale
from harness.dataset import Dataset, Outline, Sample
from harness.errors import SampleError
from harness.model import Memo, Model, Precision
from harness.task import Metric, Statistics, Task
from harness.testing.tools.pictures import photograph
from harness.testing.tools.store_rows import cell
from harness.unit import Batch, Cell, Subject, Todo, Unit
from harness.weights import Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["small_unit"]


class Pictures(Dataset):
    """Pictures, each with its number as the target. One of them cannot be read."""

    name = "kit-pictures"
    tasks = ("kit-brightness",)
    splits = ("test",)
    needs_root = False
    count = 10
    broken = 4

    def open(self) -> None:
        self.classes = ("light",)

    def __len__(self) -> int:
        return self.count

    def outline(self, index: int) -> Outline:
        return Outline(f"picture {index}", 24, 32)

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise SampleError("this picture cannot be read")
        return Sample(f"picture {index}", photograph(index, 24, 32)[None].copy(), {0: index})

    def fingerprint(self) -> str:
        return "0" * 64


class Steps(Codec):
    """Rounds pixels to multiples of the level.

    Args:
        fatal: a file; while there is none, coding makes it, and ends its process.
    """

    name = "kit-steps"
    coding = "image"
    scale = Scale("step", ladder=(2, 64), minimum=1, maximum=128, higher_is_better=False)

    def __init__(self, fatal: Path | None = None) -> None:
        super().__init__()
        self.fatal = fatal

    def encode(self, frames: Frames, level: Level, fps: float | None = None) -> Encoded:
        if self.fatal is not None and not self.fatal.exists():
            self.fatal.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        step = int(level or 1)
        data = (frames // step * step).tobytes()
        return Encoded(data, 8 * len(data) // step, *frames.shape[:3], fps)

    def decode(self, encoded: Encoded) -> Frames:
        import numpy as np

        shape = (encoded.frames, encoded.height, encoded.width, 3)
        return np.frombuffer(encoded.data, np.uint8).reshape(shape).copy()


class MeanOfPixels(Model):
    """Predicts the mean of all pixels."""

    name = "kit-mean"
    task = "kit-brightness"

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return Weights("none", None, "0" * 64, ())

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (outline.height, outline.width, 3)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> Any:
        import torch

        return torch.from_numpy(frames[0].copy())

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        self.classes = classes

    def predict(self, batch: Any) -> list[list[Any]]:
        return [[float(image.double().mean())] for image in batch]


class Brightness(Task):
    """Keeps what was predicted, and the number of the picture."""

    name = "kit-brightness"
    metrics = (Metric("mean", primary=True),)

    def score(self, prediction: Any, target: Any) -> Statistics:
        import numpy as np

        return {"value": np.array(prediction, np.float64), "number": np.array(target, np.int64)}

    def reduce(
        self, statistics: Sequence[Statistics], weights: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        import numpy as np

        values = np.array([float(one["value"]) for one in statistics])
        weights = np.ones((1, len(values))) if weights is None else weights
        return {"mean": weights @ values / weights.sum(axis=1)}


def small_unit(number: int = 0, batch: int = 3, fatal: Path | None = None) -> Unit:
    """Return a unit of work of three cells over ten pictures, one of which cannot be read.

    Args:
        number: units of different numbers have different experiments.
        batch: the samples of a batch.
        fatal: see `Steps`.
    """
    made: Mapping[str, Any] = {"task": "kit-brightness", "samples": Pictures.count, "batch": batch, "seed": number}
    place = partial(cell, "kit-steps", **{name: made[name] for name in ("task", "samples", "batch")})
    source = Pictures("kit-brightness")
    source.open()
    cells = tuple(
        Cell(replace(place(level), key=f"{number:02x}{place(level).key[2:]}"), Steps(fatal), level, False)
        for level in (2.0, 16.0, 64.0)
    )
    numbers = tuple(range(Pictures.count))
    batches = [
        Batch(place, numbers[start : start + batch]) for place, start in enumerate(range(0, len(numbers), batch))
    ]
    subject = Subject(
        Brightness(source.classes),
        MeanOfPixels(),
        "kit-mean",
        Weights("none", None, "0" * 64, ()),
        source,
        "kit-pictures",
        source.fingerprint(),
        numbers,
        batch,
        (),
    )
    return Unit(subject, cells, tuple(Todo(one, tuple(range(len(cells)))) for one in batches))
