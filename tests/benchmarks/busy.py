"""How busy a device is: the share of a pass in which it predicts, beside the share that the workers' codecs allow.

    python tests/benchmarks/busy.py [--samples 96] [--workers 2] [--milliseconds 2 5 10 30]

No device is needed. A model stands in for the network: its `predict` waits, without Python's global lock, as long as a
fast GPU would take for a batch of 8 images of 640x480. What the workers' codecs allow is measured too: the same pass
with a device that takes no time. The device can be busy for at most

    device's time for a batch / max(device's time, workers' time for a batch)

and the last column says how near the pass comes to that. The JPEG rows are bound by the codec on a machine with few
cores. The rows without a codec, and those of images that were coded before, show the engine's own limit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from harness.codec import Codec
from harness.dataset import Dataset, Outline, Sample
from harness.engine.predict import run_unit
from harness.experiment import Experiment
from harness.model import Model, Weights
from harness.progress import Silence
from harness.task import Metric, Task
from harness.unit import Batch, Cell, RowBatch, Settings, Subject, Todo, Unit
from harness_codecs.none import Uncompressed
from harness_codecs.pillow_family import Jpeg

BATCH = 8


class Photographs(Dataset):
    """Frames of 640x480 with structure like photographs (blurred noise), made once and kept."""

    name = "photographs"
    tasks = ("stub",)
    splits = ("test",)

    def __init__(self, count: int) -> None:
        super().__init__("stub", "test")
        self.count = count
        rng = np.random.default_rng(0)
        small = torch.from_numpy(rng.uniform(0, 255, (4, 3, 60, 80))).float()
        large = torch.nn.functional.interpolate(small, size=(480, 640), mode="bicubic").clamp(0, 255)
        self._frames = (large.permute(0, 2, 3, 1) + torch.rand(4, 480, 640, 3) * 12).clamp(0, 255).byte().numpy()

    def open(self) -> None: ...

    def __len__(self) -> int:
        return self.count

    def outline(self, index: int) -> Outline:
        return Outline(str(index), 480, 640)

    def __getitem__(self, index: int) -> Sample:
        return Sample(str(index), self._frames[index % 4][None].copy(), {0: index})

    def fingerprint(self) -> str:
        return "photographs"


class StubDevice(Model):
    """Waits as long as a device would take for a batch, and gives an empty prediction for each image."""

    name = "stub"
    task = "stub"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (outline.height, outline.width, 3)

    def prepare(self, frames: Any, scored: tuple[int, ...], memo: Any) -> Any:
        return torch.as_tensor(frames[0].copy())

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
        self.classes = classes

    def predict(self, batch: Any) -> list[list[Any]]:
        if self.seconds:
            time.sleep(self.seconds)
        return [[np.zeros((20, 6), np.float32)] for _ in range(len(batch))]


class StubTask(Task):
    """Keeps a sum; the statistics have the size of a detector's."""

    name = "stub"
    metrics = (Metric("sum", primary=True),)

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {"sum": prediction.sum(axis=1), "rows": prediction}

    def reduce(self, statistics: Sequence[Any], weights: Any = None) -> dict[str, Any]:
        return {"sum": np.zeros(1 if weights is None else len(weights))}


def experiment(key: str, codec: str, level: float | None, samples: int) -> Experiment:
    """The description of one cell."""
    return Experiment(
        key, {"codec": {}}, codec, {}, level, None, False, "stub", "stub", "none", "photographs", "test", samples
    )


def unit(codec: str, samples: int, seconds: float) -> Unit:
    """Six JPEG levels, or six cells without a codec."""
    kind: type[Codec] = Jpeg if codec == "jpeg" else Uncompressed
    levels = (95.0, 75.0, 50.0, 15.0, 10.0, 5.0)
    cells = tuple(
        Cell(experiment(f"{n}", codec, level, samples), kind(), level if codec == "jpeg" else None, codec != "jpeg")
        for n, level in enumerate(levels)
    )
    dataset = Photographs(samples)
    todo = tuple(
        Todo(Batch(n, tuple(range(start, start + BATCH))), tuple(range(len(cells))))
        for n, start in enumerate(range(0, samples, BATCH))
    )
    weights = Weights("none", None, "0" * 64, ())
    subject = Subject(
        StubTask(()), StubDevice(seconds), "stub", weights, dataset, "photographs", "", tuple(range(samples)), BATCH, ()
    )
    return Unit(subject, cells, todo)


def measured(work: Unit, settings: Settings) -> tuple[float, float]:
    """Seconds of the device's pass for a batch, and those that it predicts, without the batch that starts the pass."""
    batches = [batch for batch in run_unit(work, settings, Silence()) if isinstance(batch, RowBatch)]
    batches.remove(max(batches, key=lambda batch: batch.seconds["wait"]))  # the first: the workers were starting
    wall, predicting = (sum(batch.seconds[stage] for batch in batches) for stage in ("wall", "predict"))
    return wall / len(batches), predicting / len(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=96, help="a multiple of 8")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--milliseconds", type=float, nargs="+", default=[2, 5, 10, 30])
    given = parser.parse_args()
    settings = Settings("cpu", "fp32", given.workers, 1)
    print("codec   device ms  workers ms  busy share  codecs allow  of what is possible")
    for codec in ("jpeg", "none"):
        for milliseconds in given.milliseconds:
            workers_only, _ = measured(replace(unit(codec, given.samples, 0.0)), settings)
            wall, predicting = measured(unit(codec, given.samples, milliseconds / 1000), settings)
            allowed = min(1.0, predicting / max(workers_only, predicting))
            busy = predicting / wall
            print(
                f"{codec:6} {milliseconds:10.0f} {1000 * workers_only:11.1f} {busy:11.2f} {allowed:13.2f} "
                f"{busy / allowed:20.2f}"
            )


if __name__ == "__main__":
    main()
