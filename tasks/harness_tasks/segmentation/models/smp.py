"""Networks of the library segmentation-models-pytorch: any of its architectures with any of its encoders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import harness
from harness.errors import UnknownNameError, WeightsError
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.library import library_version
from harness_tasks.segmentation.models.common import SHARED_OPTIONS, PixelClassifier

if TYPE_CHECKING:
    import torch

__all__ = ["ARCHITECTURES", "Smp"]

ARCHITECTURES = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
    "dpt",
)
_ANY_OF_TIMM = "tu-"
"""Prefix of the names of timm's encoders. There are too many of them to list."""


class Smp(PixelClassifier):
    """A network of segmentation-models-pytorch (https://github.com/qubvel-org/segmentation_models.pytorch).

    Weights are files with the library's own state dicts. Some architectures need sides divisible by their encoder's
    stride. For these, frames are padded by repeating the last row and column, and the scores are cropped back.
    """

    name = "smp"
    summary = "segmentation-models-pytorch: U-Net, DeepLab, FPN, ... with ResNet, MobileNet, ... encoders"
    head = "segmentation_head.0.weight"
    options: ClassVar[tuple[Option, ...]] = (
        Option("arch", str, "unet", "the architecture", choices=ARCHITECTURES),
        Option("encoder", str, "resnet34", "the encoder, such as mobilenet_v2; tu-NAME for those of timm"),
        Option(
            "encoder_weights",
            str,
            None,
            "what the encoder starts from, by the name the library knows (imagenet); it downloads it",
            only="training",
        ),
        *SHARED_OPTIONS,
    )

    def fingerprint(self) -> Mapping[str, Value]:
        names = ("torch", "segmentation-models-pytorch", "timm")
        return {name: library_version(name, name.replace("-", "_")) for name in names}

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        weights = super().resolve_weights(asked, dataset_classes)
        self._check_encoder()
        return weights

    def make(self, outputs: int) -> torch.nn.Module:
        return self._make(outputs, None)

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        network = super().build(classes, initial)
        pretrained = self.option("encoder_weights")
        if pretrained and initial is None:
            try:
                network = self._network = self._make(len(classes), pretrained)
            except (OSError, KeyError, ValueError) as error:
                raise WeightsError(
                    f"model {self.name}: weights {pretrained!r} of encoder {self.option('encoder')} could not be had: "
                    f"{error}. The library downloads them; without a network leave encoder_weights away."
                ) from error
        return network

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional as F

        height, width = images.shape[-2:]
        network = self.network
        if not getattr(network, "requires_divisible_input_shape", True):
            return super().scores(images)
        stride = int(network.encoder.output_stride)  # type: ignore[union-attr,arg-type]
        padded = F.pad(images, (0, -width % stride, 0, -height % stride), mode="replicate")
        return super().scores(padded)[..., :height, :width]

    def _make(self, outputs: int, encoder_weights: str | None) -> torch.nn.Module:
        """Return a new network of the library."""
        import segmentation_models_pytorch as smp

        self._check_encoder()
        network: torch.nn.Module = smp.create_model(
            self.option("arch"), self.option("encoder"), encoder_weights, classes=outputs
        )
        return network

    def _check_encoder(self) -> None:
        """Check the option `encoder`.

        Raises:
            UnknownNameError: the library has no such encoder.
        """
        import segmentation_models_pytorch as smp

        asked, known = self.option("encoder"), smp.encoders.get_encoder_names()
        if asked not in known and not asked.startswith(_ANY_OF_TIMM):
            raise UnknownNameError("encoder", asked, known)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [Smp]
