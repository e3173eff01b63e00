"""The model `demo-segnet`: SegNet with a quarter of its channels, trained on the demo world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import harness
from harness_tasks.segmentation.models.segnet import SegNet

if TYPE_CHECKING:
    from harness.model import Model, Weights
    from harness.options import Option, Value

__all__ = ["DemoSegNet"]

WEIGHTS = Path(__file__).with_name("demo-segnet.safetensors")
"""The weights that come with the harness: fp16, trained with the recipe `demo` of registry.toml."""

_DEFAULTS: dict[str, Value] = {
    "width": 0.25,
    "skips": True,
    "crop": "192x160",
    "jitter": 0.1,
    "class_weights": "0.6|0.4|1.3|0.5|1.1|1.9|1.1|1|0.8|0.9|1.9|1.9",
    "dice": 1.0,
}
"""The class weights are the square roots of median frequency balancing (Eigen and Fergus, ICCV 2015)."""


class DemoSegNet(SegNet):
    """A SegNet that is small enough to come with the harness and to run on any machine.

    Its decoder adds the encoder's feature maps. The rare classes of the demo world (persons, signs, lights) have few
    pixels. Class weights and the Dice loss make the network learn them in spite of that.
    """

    name = "demo-segnet"
    summary = "SegNet with a quarter of its channels, trained on the demo world"
    own_weights = WEIGHTS
    options: ClassVar[tuple[Option, ...]] = tuple(
        replace(option, default=_DEFAULTS.get(option.name, option.default)) for option in SegNet.options
    )

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoSegNet]
