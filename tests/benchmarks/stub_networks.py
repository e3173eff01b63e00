"""Models without their networks, a plugin of the benchmarks: frames are resized and normalised, results are made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import harness

__all__ = ["ARCH", "CLASSES", "REGIONS", "harness_models", "label_map", "stub_detector", "stub_segmenter"]

CLASSES = 80
ARCH = "fasterrcnn_mobilenet_v3_large_320_fpn"
REGIONS = 11
"""The classes of CamVid."""


@harness.hookimpl
def harness_models() -> Sequence[type]:
    """The models of this plugin."""
    return [stub_detector(), stub_segmenter()]


def stub_detector() -> type:
    """A detector that only resizes and normalises."""
    import torch
    from torchvision.models.detection import generalized_rcnn

    from harness.model import Weights
    from harness_tasks.detection.models.torchvision import Torchvision

    random = torch.Generator().manual_seed(0)
    boxes = torch.rand(20, 4, generator=random) * 200
    boxes[:, 2:] += boxes[:, :2] + 5
    labels, scores = torch.randint(1, CLASSES + 1, (20,), generator=random), torch.rand(20, generator=random)

    def forward(self: Any, images: Any, targets: Any = None) -> Any:
        sizes = [tuple(image.shape[-2:]) for image in images]
        inputs, _ = self.transform(images, None)
        found = [{"boxes": boxes.clone(), "labels": labels.clone(), "scores": scores.clone()} for _ in sizes]
        return self.transform.postprocess(found, inputs.image_sizes, sizes)

    class StubDetector(Torchvision):
        name = "stub-detector"

        def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
            return Weights("stub", None, "0" * 64, ())

        def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
            from harness_tasks.networks.image_list import Labels

            generalized_rcnn.GeneralizedRCNN.forward = forward
            labels = Labels.of(classes)
            self._place(self._use(self.make(labels.outputs), labels), device, precision)

    return StubDetector


def label_map() -> np.ndarray:
    """What the segmenter without its network predicts: uint8[480, 640]."""
    small = np.random.default_rng(1).integers(0, REGIONS, (12, 16), dtype=np.uint8)
    return small.repeat(40, 0).repeat(40, 1)


def stub_segmenter() -> type:
    """A segmenter that only normalises."""
    from harness.model import Weights
    from harness_tasks.segmentation.models.smp import Smp

    class StubSegmenter(Smp):
        name = "stub-segmenter"

        def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
            return Weights("stub", None, "0" * 64, ())

        def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: str = "fp32") -> None:
            self.classes, self._labels = classes, label_map()

        def predict(self, batch: Any) -> list[list[Any]]:
            count, scored = batch.shape[:2]
            self._normalised(batch.to(self._device).flatten(0, 1).permute(0, 3, 1, 2))
            return [[self._labels] * scored for _ in range(count)]

    return StubSegmenter
