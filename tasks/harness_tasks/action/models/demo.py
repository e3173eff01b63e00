"""The demo's two-stream model: small backbones, trained on the demo world's clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import harness
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.action.models.two_stream import TwoStreamModel

__all__ = ["DemoTwoStream"]

WEIGHTS = Path(__file__).with_name("demo-two-stream.safetensors")
"""The weights that ship with the harness, fp16, of two trainings; registry.toml says how they were made."""
_DEFAULTS: dict[str, Value] = {
    "backbone": "small",
    "size": 96,
    "flow_size": 128,
    "motion_size": 96,
    "crop": 0.0,
    "samples": 5,
    "stacks": 2,
    "bound": 10.0,
    "keep_flow": True,
}


def _of_demo(option: Option) -> Option:
    return replace(option, default=_DEFAULTS.get(option.name, option.default))


class DemoTwoStream(TwoStreamModel):
    """Two streams small enough to ship and to run anywhere: 5 frames and 2 stacks a clip, all of each frame.

    Of a clip of 256x192 the spatial stream sees frames of 128x96, and the motion stream flow of 128x96, which is
    computed on frames of 171x128.
    """

    name = "demo-two-stream"
    summary = "two-stream network with small backbones, trained on the demo world's clips"
    own_weights = WEIGHTS
    options: ClassVar[tuple[Option, ...]] = tuple(_of_demo(option) for option in TwoStreamModel.options)
    default_batch: ClassVar[Mapping[str, int]] = {"cpu": 4, "cuda": 32, "mps": 8}

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoTwoStream]
