"""The model `demo-depth-gan`: `depth-gan` with weights that come with the harness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import harness
from harness.model import Model, Weights
from harness_tasks.depth.models.depth_gan import DepthGan

__all__ = ["DemoDepthGan"]

WEIGHTS = Path(__file__).with_name("demo-depth-gan.safetensors")
"""The weights that come with the harness: fp16, trained with the recipe `demo` of registry.toml."""


class DemoDepthGan(DepthGan):
    """A depth estimator that is small enough to come with the harness and to run on any machine."""

    name = "demo-depth-gan"
    summary = "a small depth-gan, trained on the demo world"
    own_weights = WEIGHTS

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoDepthGan]
