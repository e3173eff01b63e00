"""The models, tasks and inputs of steps.py: one subject for each task, without the network's layers.

What stands in for a network returns the same results for every image. All that a model does before and after remains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.codec import Frames
from harness.model import Model
from harness.task import Task
from harness_tasks.action.models.two_stream import TwoStreamModel
from harness_tasks.action.task import Action
from harness_tasks.depth.models.depth_gan import DepthGan
from harness_tasks.depth.task import Depth
from harness_tasks.detection.models.torchvision import Torchvision
from harness_tasks.detection.task import Detection
from harness_tasks.detection.types import Boxes
from harness_tasks.networks.image_list import Labels
from harness_tasks.pose.models.openpose import OpenPose
from harness_tasks.pose.models.targets import affinity_fields, confidence_maps
from harness_tasks.pose.skeleton import parts_of
from harness_tasks.pose.task import Pose
from harness_tasks.pose.types import Persons
from harness_tasks.segmentation.models.segnet import SegNet
from harness_tasks.segmentation.task import Segmentation

__all__ = ["SUBJECTS", "BenchmarkSubject"]

HEIGHT, WIDTH = 480, 640
CLASSES = {"detection": 80, "segmentation": 19, "action": 101}


@dataclass
class BenchmarkSubject:
    """What is measured.

    Args:
        model: a model whose network is a stand-in.
        task: the task.
        target: the target of every image.
        frames: images, or clips, each uint8[T, 480, 640, 3].
    """

    model: Model
    task: Task
    target: Any
    frames: list[Frames]


class CannedDetector(torch.nn.Module):
    """torchvision's first and last step, and the same 20 detections for every image between them."""

    def __init__(self, transform: torch.nn.Module, classes: int) -> None:
        super().__init__()
        self.transform = transform
        random = torch.Generator().manual_seed(0)
        corners = torch.rand(20, 2, generator=random) * 200
        self.boxes = torch.cat([corners, corners + 5 + torch.rand(20, 2, generator=random) * 100], dim=1)
        self.labels = torch.randint(1, classes + 1, (20,), generator=random)
        self.scores = torch.rand(20, generator=random)

    def forward(self, images: Any) -> Any:
        sizes = [tuple(image.shape[-2:]) for image in images]
        inputs, _ = self.transform(images)
        canned = {"boxes": self.boxes, "labels": self.labels, "scores": self.scores}
        found = [{name: value.clone() for name, value in canned.items()} for _ in sizes]
        return self.transform.postprocess(found, inputs.image_sizes, sizes)  # type: ignore[operator, union-attr]


class Canned(torch.nn.Module):
    """The same results for every input."""

    def __init__(self, results: Any) -> None:
        super().__init__()
        self.results = results

    def forward(self, *_: Any) -> Any:
        return self.results


def images(count: int, length: int = 1) -> list[Frames]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (length, HEIGHT, WIDTH, 3), np.uint8) for _ in range(count)]


def blocks(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """A map of 12x16 blocks, each with one of the values."""
    return rng.choice(values, (12, 16)).repeat(HEIGHT // 12, axis=0).repeat(WIDTH // 16, axis=1)


def detection(arch: str) -> BenchmarkSubject:
    names = tuple(f"class {number}" for number in range(CLASSES["detection"]))
    model, rng = Torchvision(arch=arch), np.random.default_rng(0)
    canned = CannedDetector(model.make(len(names) + 1).transform, len(names))  # type: ignore[arg-type]
    model._place(model._use(canned, Labels.of(names)), "cpu", "fp32")
    corners, sides = rng.uniform(0, 250, (7, 2)), rng.uniform(10, 180, (7, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1)
    return BenchmarkSubject(model, Detection(names), Boxes.of(boxes, rng.integers(0, len(names), 7)), images(8))


def segmentation() -> BenchmarkSubject:
    classes, rng = CLASSES["segmentation"], np.random.default_rng(0)
    model = SegNet()
    model.classes = names = tuple(f"class {number}" for number in range(classes))
    scores = torch.rand(1, classes, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    model._network = Canned(scores.contiguous(memory_format=torch.channels_last))
    return BenchmarkSubject(
        model, Segmentation(names), blocks(rng, np.array([*range(classes), 255], np.uint8)), images(8)
    )


def depth() -> BenchmarkSubject:
    model, rng = DepthGan(), np.random.default_rng(0)
    model._network = Canned(torch.rand(1, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)))
    target = rng.uniform(1, 80, (HEIGHT, WIDTH)).astype(np.float32)
    target[blocks(rng, np.array([True, False, False, False]))] = np.nan
    return BenchmarkSubject(model, Depth(), target, images(8))


def pose() -> BenchmarkSubject:
    model, rng = OpenPose(), np.random.default_rng(0)
    shape = np.array(
        [[0, -60], [5, -65], [-5, -65], [10, -62], [-10, -62], [20, -40], [-20, -40], [30, -10], [-30, -10]]
    )
    shape = np.concatenate(
        [shape, [[32, 15], [-32, 15], [12, 20], [-12, 20], [14, 60], [-14, 60], [15, 95], [-15, 95]]]
    )
    persons = np.full((3, 17, 3), 2.0)
    persons[:, :, :2] = shape + np.array([[120, 160], [320, 180], [520, 190]])[:, None] + rng.normal(0, 2, (3, 17, 2))
    scaled = persons * [368 / HEIGHT, 368 / HEIGHT, 1]
    parts, size = parts_of(scaled), (46, 62)
    maps = (affinity_fields(parts, size, 8, 1.0), confidence_maps(parts, size, 8, 0.875))
    planes = tuple(torch.from_numpy(plane)[None].contiguous(memory_format=torch.channels_last) for plane in maps)
    model._network = Canned([planes])
    low, high = persons[:, :, :2].min(axis=1), persons[:, :, :2].max(axis=1)
    boxes = np.concatenate([low, high + 1], axis=1)
    target = Persons(persons, boxes, 0.5 * np.prod(high - low, axis=1), np.zeros(3, np.bool_))
    return BenchmarkSubject(model, Pose(), target, images(8))


def action() -> BenchmarkSubject:
    names = tuple(f"class {number}" for number in range(CLASSES["action"]))
    model = TwoStreamModel(preset="ultrafast")
    network = model.build(names).eval()
    for number, stream in enumerate(("spatial", "motion")):
        setattr(network, stream, Canned(torch.rand(25, len(names), generator=torch.Generator().manual_seed(number))))
    return BenchmarkSubject(model, Action(names), 3, images(2, 40))


SUBJECTS: dict[str, Callable[[], BenchmarkSubject]] = {
    "detection (shorter side 320)": lambda: detection("fasterrcnn_mobilenet_v3_large_320_fpn"),
    "detection (shorter side 800)": lambda: detection("fasterrcnn_mobilenet_v3_large_fpn"),
    "segmentation (19 classes)": segmentation,
    "depth": depth,
    "pose": pose,
    "action (a clip of 40 frames)": action,
}
