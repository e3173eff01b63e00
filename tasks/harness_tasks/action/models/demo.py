"""The model `demo-two-stream`: a two-stream model with small backbones, trained on clips of the demo world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import harness
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.action.models.two_stream import TwoStreamModel

__all__ = ["DemoTwoStream"]

WEIGHTS = Path(__file__).with_name("demo-two-stream.safetensors")
"""The weights that come with the harness: fp16, from two trainings; registry.toml describes how they were made."""
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


def _with_demo_default(option: Option) -> Option:
    """Return an option with the demo's default."""
    return replace(option, default=_DEFAULTS.get(option.name, option.default))


class DemoTwoStream(TwoStreamModel):
    """A two-stream model that is small enough to come with the harness and to run on any machine.

    It uses 5 frames and 2 stacks per clip, without cropping. For a clip of 256x192, the spatial stream sees frames of
    128x96. The motion stream sees flow of 128x96, which is computed on frames of 171x128.
    """

    name = "demo-two-stream"
    summary = "two-stream network with small backbones, trained on the demo world's clips"
    own_weights = WEIGHTS
    options: ClassVar[tuple[Option, ...]] = tuple(_with_demo_default(option) for option in TwoStreamModel.options)
    default_batch: ClassVar[int] = 4

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoTwoStream]
