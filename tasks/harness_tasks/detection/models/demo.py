"""The model `demo-faster-rcnn`: a Faster R-CNN with its own small backbone, trained on the demo world.

It is Ren, He, Girshick, Sun, "Faster R-CNN" (NeurIPS 2015) with the feature pyramid of Lin et al. (CVPR 2017), built
from torchvision's parts. Differences from torchvision's detectors: a residual backbone of five stages with 32 to 128
channels; a pyramid of 64 channels; region proposals only at strides 8, 16 and 32 (stride 4 is used only by the box
head); and fewer proposals. So an image of 256x192 takes a few hundredths of a second on one CPU core.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.model import Model, Precision, Weights
from harness_tasks.detection.models.common import ImageListDetector

if TYPE_CHECKING:
    import torch

__all__ = ["DemoDetector"]

WEIGHTS = Path(__file__).with_name("demo-detector.safetensors")
"""The weights that come with the harness: fp16, trained with the recipe `demo` of registry.toml."""


class DemoDetector(ImageListDetector):
    """A detector that is small enough to come with the harness and to run on any machine."""

    name = "demo-faster-rcnn"
    summary = "Faster R-CNN with a small backbone, trained on the demo world"
    own_weights = WEIGHTS

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)

    def make(self, outputs: int) -> torch.nn.Module:
        from harness_tasks.detection.models.demo_network import demo_network

        return demo_network(outputs)

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        super().load(weights, classes, device, precision)
        self.network.to(memory_format=torch.channels_last)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoDetector]
