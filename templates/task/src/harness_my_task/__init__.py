"""The task `my-task`: is a picture dark, medium or bright? With a dataset of patterns and a model, to try it with."""

import hashlib

import numpy as np

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.errors import ContentError, SampleError
from harness.model import Model, Weights
from harness.task import Metric, Task

CLASSES = ("dark", "medium", "bright")


class MyTask(Task):
    """Chooses one class for each frame.

    A prediction is a list of scores, float64[C], one for each class of the model; a target is the right class, an int,
    an index into the dataset's classes.
    """

    name = "my-task"
    summary = "one class for each frame"
    metrics = (
        Metric("top1", primary=True, description="share of frames whose highest score is that of the right class"),
        Metric("error", higher_is_better=False, description="mean distance from the right class, in classes"),
    )

    def check_prediction(self, prediction, size, classes):
        if not isinstance(prediction, np.ndarray) or prediction.dtype != np.float64 or prediction.shape != (classes,):
            raise ContentError(f"scores: float64[{classes}] is expected, found {type(prediction).__name__}")
        if not np.isfinite(prediction).all():
            raise ContentError("scores: they have to be finite")

    def check_target(self, target, size):
        if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < len(self.classes):
            raise ContentError(f"class: a whole number below {len(self.classes)} is expected, found {target!r}")

    def score(self, prediction, target):
        """Of one frame: all that the metrics need to know. Arrays of numbers, which are kept in the database."""
        chosen = int(prediction.argmax())
        return {"right": np.array(chosen == target, np.float64), "error": np.array(abs(chosen - target), np.float64)}

    def reduce(self, statistics, weights=None):
        """Of R weighted sets of N frames: each metric, float64[R]; NaN where no frame counts."""
        weights = np.ones((1, len(statistics))) if weights is None else weights
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return {
                name: weights @ np.array([one[key] for one in statistics], np.float64) / total
                for name, key in (("top1", "right"), ("error", "error"))
            }

    def hits(self, statistics):
        """The metric that is a share of right frames: its interval is computed from the counts."""
        yield "top1", np.array([one["right"] for one in statistics], np.float64)

    def as_target(self, prediction):
        """The model's own answer as the truth, for `--reference predictions`."""
        return int(prediction.argmax())


class MyTaskPatterns(Dataset):
    """Noise around three grey levels, which needs no files."""

    name = "my-task-patterns"
    summary = "made-up pictures of three grey levels"
    tasks = ("my-task",)
    splits = ("test",)
    needs_root = False

    def open(self):
        self.classes = CLASSES

    def __len__(self):
        return 60

    def outline(self, index):
        if not 0 <= index < len(self):
            raise SampleError(f"there is no picture {index}")
        return Outline(f"picture-{index:02}", height=48, width=64)

    def __getitem__(self, index):
        outline = self.outline(index)
        noise = np.random.default_rng(index).normal(60 + 68 * (index % 3), 40, (1, 48, 64, 3))
        return Sample(outline.id, noise.clip(0, 255).astype(np.uint8), {0: index % 3})

    def fingerprint(self):
        return hashlib.sha256(b"my-task-patterns, version 1").hexdigest()


class MyTaskThresholds(Model):
    """Compares the mean of all pixels with the three grey levels."""

    name = "my-task-thresholds"
    summary = "the class whose grey level is nearest"
    task = "my-task"
    own_weights = "none: it has a rule"

    def resolve_weights(self, asked, dataset_classes):
        return Weights("rule", None, hashlib.sha256(b"60 128 196").hexdigest(), CLASSES)

    def prepared_shape(self, outline):
        return (outline.height, outline.width)

    def prepare(self, frames, scored, memo):
        import torch

        return torch.from_numpy(np.array(frames[list(scored)]))

    def load(self, weights, classes, device, precision="fp32"):
        self.classes = CLASSES

    def predict(self, batch):
        means = batch.double().mean(dim=(2, 3, 4)).cpu().numpy()  # [samples, scored frames]
        return [[-abs(mean - np.array([60.0, 128.0, 196.0])) for mean in sample] for sample in means]


@hookimpl
def harness_tasks():
    return [MyTask]


@hookimpl
def harness_datasets():
    return [MyTaskPatterns]


@hookimpl
def harness_models():
    return [MyTaskThresholds]
