"""torchvision's networks for segmentation by name: LRASPP, DeepLabV3 and FCN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import harness
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.library import library_version
from harness_tasks.segmentation.models.common import SHARED_OPTIONS, PixelClassifier

if TYPE_CHECKING:
    import torch

__all__ = ["ARCHITECTURES", "TorchvisionSegmentation"]

_LRASPP = "lraspp_mobilenet_v3_large"
ARCHITECTURES = (
    _LRASPP,
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "fcn_resnet50",
    "fcn_resnet101",
)
_AUXILIARY = "aux_classifier."
"""How the names of the second classifier's tensors begin. It helps training, and predicts nothing."""


class TorchvisionSegmentation(PixelClassifier):
    """A network for segmentation of torchvision, with torchvision's own weights or with weights from a file.

    Frames are prepared as by torchvision's transform of its weights: the shorter side is resized to 520 pixels
    (bilinear, with antialiasing when it shrinks), the pixels are rounded to 8 bits and then normalised. The network's
    scores are interpolated to the size of the frame. The first output of torchvision's own weights is the background.
    """

    name = "torchvision-segmentation"
    summary = "torchvision: LRASPP, DeepLabV3 and FCN on MobileNetV3 or ResNet"
    own_weights = "torchvision's"
    options: ClassVar[tuple[Option, ...]] = (
        Option("arch", str, _LRASPP, "torchvision's name of the network", choices=ARCHITECTURES),
        Option("min_size", int, 520, "length of the shorter side for the network, if there is no size", minimum=16),
        *SHARED_OPTIONS,
    )

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.head = "classifier.high_classifier.weight" if self.option("arch") == _LRASPP else "classifier.4.weight"

    def fingerprint(self) -> Mapping[str, Value]:
        return {name: library_version(name) for name in ("torch", "torchvision")}

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        from harness_tasks.networks.torchvision_weights import resolved

        return resolved(self.name, self.option("arch"), asked)

    def make(self, outputs: int) -> torch.nn.Module:
        from torchvision.models import get_model

        arch, untrained = self.option("arch"), {"weights": None, "weights_backbone": None}
        network: torch.nn.Module = get_model(arch, num_classes=outputs, aux_loss=False, **untrained)
        return network

    def state_of(self, weights: Weights) -> dict[str, torch.Tensor]:
        """Return the state dict without the auxiliary classifier, which the network does not have here."""
        return {n: tensor for n, tensor in super().state_of(weights).items() if not n.startswith(_AUXILIARY)}

    def usual_classes(self, state: Mapping[str, torch.Tensor], classes: Sequence[str]) -> tuple[str, ...]:
        """Return torchvision's classes if the file has as many outputs as torchvision's weights, unlike the dataset.

        torchvision's training scripts write such files.
        """
        from harness_tasks.networks.torchvision_weights import default_member, output_names

        head, names = state.get(self.head), output_names(default_member(self.option("arch")))
        return names if head is not None and len(head) == len(names) != len(classes) else ()

    def network_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the option `size`, or the size with the shorter side `min_size`; the longer side is rounded down."""
        if self._size is not None:
            return self._size
        shorter: int = self.option("min_size")
        longer = int(shorter * max(height, width) / min(height, width))
        return (shorter, longer) if height <= width else (longer, shorter)

    def images(self, frames: torch.Tensor) -> torch.Tensor:
        from torchvision.transforms.functional import resize

        size = self.network_size(frames.shape[2], frames.shape[3])
        # Channels first: the same bits as channels last, in less time.
        return self._normalised(resize(frames.contiguous(), list(size), antialias=True))

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.network(images)["out"]
        return scores


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [TorchvisionSegmentation]
