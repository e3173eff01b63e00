"""The model `demo-openpose`: OpenPose with the small front, trained on the demo world."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.model import Model, Weights
from harness_tasks.pose.models.openpose import THRESHOLDS, OpenPose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_tasks.pose.models.openpose_network import Front
    from harness_tasks.pose.models.views import View
    from harness_tasks.pose.types import Persons

__all__ = ["DemoOpenPose"]

WEIGHTS = Path(__file__).with_name("demo-openpose.safetensors")
"""The weights that come with the harness: fp16, trained with the recipe `demo` of registry.toml."""
_SIZE = (192, 256)


class DemoOpenPose(OpenPose):
    """An OpenPose that is small enough to come with the harness and to run on any machine.

    It has 1.4 M parameters and needs 1.1 GMAC for a frame of 256x192. Frames are scaled to a height of 192. It is
    trained on whole frames, mirrored with probability 0.5. Errors on persons count up to five times as much as
    elsewhere, which makes a short training more effective.
    """

    name = "demo-openpose"
    summary = "OpenPose with a small front, trained on the demo world"
    own_weights = WEIGHTS
    options = THRESHOLDS
    height = _SIZE[0]
    front: ClassVar[Front] = "small"
    stages = 2
    FOREGROUND = 4.0

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return super().resolve_weights(asked or str(WEIGHTS), dataset_classes)

    def view(self, image: NDArray[np.uint8], persons: Persons, rng: np.random.Generator) -> View:
        """Return the whole frame, mirrored with probability 0.5."""
        from harness_tasks.pose.models.views import whole_view

        return whole_view(image, persons, _SIZE, bool(rng.random() < 0.5))


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DemoOpenPose]
