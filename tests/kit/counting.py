"""A researcher's file with one class of each kind that a run needs: it counts the bright dots of tiny images.

It is a plugin as it stands (`--plugin counting.py`): no hooks, no packaging. A run with it takes a second.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["REGISTRY", "SOURCE", "write_counting"]

SOURCE = """
import numpy as np
import torch

from harness.codec import Frames, ImageCodec, Scale
from harness.dataset import Dataset, Outline, Sample
from harness.model import Model, Weights
from harness.options import Option
from harness.task import Metric, Statistics, Task


class Coarse(ImageCodec):
    name = "coarse"
    summary = "few grey levels"
    scale = Scale("bits", ladder=(8, 2), minimum=1, maximum=8, higher_is_better=True)
    options = (
        Option("speed", int, 1, "how fast it codes", only="speed"),
        Option("mark", int, 0, "a number that it adds"),
    )

    def encode_image(self, image, level):
        step = 1 << (8 - int(level))
        return bytes(image.shape[:2]) + (image // step * step).tobytes()

    def decode_image(self, data):
        return np.frombuffer(data[2:], np.uint8).reshape(data[0], data[1], 3)


class Counting(Task):
    name = "counting"
    summary = "how many dots there are"
    metrics = (Metric("mae", higher_is_better=False, primary=True),)

    def score(self, prediction, target) -> Statistics:
        return {"error": np.array(abs(prediction - target), np.float64)}

    tells = ("boxes",)

    def hint(self, name, target):
        return np.ones((target, 5))

    def reduce(self, statistics, weights=None):
        errors = np.array([s["error"] for s in statistics])
        weights = np.ones((1, len(errors))) if weights is None else weights
        return {"mae": weights @ errors / weights.sum(axis=1)}


class Dots(Dataset):
    name = "dots"
    summary = "black images with white dots"
    tasks = ("counting",)
    needs_root = False

    def open(self):
        pass

    def __len__(self):
        return 5

    def outline(self, index):
        return Outline(f"dots {index}", height=16, width=24)

    def __getitem__(self, index):
        frames = np.zeros((1, 16, 24, 3), np.uint8)
        frames[0, 1, 2 : 3 + index] = 250
        return Sample(f"dots {index}", frames, {0: 1 + index})

    def fingerprint(self):
        return "1" * 64


class Told(Model):
    name = "told"
    summary = "counts the boxes that it is told"
    task = "counting"
    needs = ("boxes",)

    def resolve_weights(self, asked, dataset_classes):
        return Weights("none", None, "")

    def prepared_shape(self, outline):
        return ()

    def prepare(self, frames, scored, memo, known=None):
        assert known.outline.id.startswith("dots ")
        return torch.tensor([len(known.hints["boxes"][frame]) for frame in scored])

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = classes

    def predict(self, batch):
        return [counts.tolist() for counts in batch]


class Counter(Model):
    name = "counter"
    summary = "counts bright pixels"
    task = "counting"

    def resolve_weights(self, asked, dataset_classes):
        return Weights("none", None, "")

    def prepared_shape(self, outline):
        return (outline.height, outline.width)

    def prepare(self, frames: Frames, scored, memo):
        return torch.from_numpy(frames[scored[0]].copy())

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = classes

    def predict(self, batch):
        return [[int((image > 200).sum()) // 3] for image in batch]
"""

REGISTRY = """
[tasks.counting]
model = "counter"
dataset = "dots"

[codecs.coarse]
ladder = [8, 1]
"""


def write_counting(folder: Path, registry: str = REGISTRY) -> Path:
    """Write the file, with its registry entries beside it, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "counting.py"
    file.write_text(SOURCE)
    file.with_suffix(".toml").write_text(registry)
    return file
