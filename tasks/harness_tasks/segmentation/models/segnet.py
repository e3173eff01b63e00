"""The model SegNet: an encoder-decoder network whose decoder unpools with the encoder's max-pooling indices.

Badrinarayanan, Kendall, Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation"
(IEEE TPAMI 39, 2017). Poyser, Atapour-Abarghouei and Breckon ran it on Cityscapes in the implementation of M. P. Shah
(pytorch-semseg), which resizes frames to 1024x512 and divides them by 255: `segnet:size=1024x512,normalise=unit`.
SegNet's authors used CamVid at 480x360.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import harness
from harness.errors import UsageError, WeightsError
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.segmentation.models.common import SHARED_OPTIONS, PixelClassifier

if TYPE_CHECKING:
    import torch

__all__ = ["SegNet"]


class SegNet(PixelClassifier):
    """SegNet with the encoder of VGG16, with a configurable number of channels.

    Frames can have any size: pooling rounds sizes up, and the decoder restores the size before each pooling.
    """

    name = "segnet"
    summary = "SegNet: VGG16 encoder, decoder that unpools by the encoder's indices"
    head = "classifier.weight"
    options: ClassVar[tuple[Option, ...]] = (
        Option("width", float, 1.0, "multiplies the numbers of channels; 1 is the original", minimum=0.02, maximum=4.0),
        Option(
            "upsampling",
            str,
            "unpool",
            "how the decoder enlarges: to where the maxima stood, by interpolation, or by transposed convolutions",
            choices=("unpool", "bilinear", "transposed"),
        ),
        Option("skips", bool, False, "whether the decoder adds the encoder's feature maps (variant EncoderAddition)"),
        Option(
            "encoder_weights",
            str,
            None,
            "a file of torchvision's vgg16_bn (ImageNet) that the encoder starts from; width 1 only",
            only="training",
        ),
        *SHARED_OPTIONS,
    )

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        if self.option("encoder_weights") and self.option("width") != 1:
            raise UsageError(
                f"model {self.name}: encoder_weights are those of VGG16, which has width=1, not {self.option('width')}."
            )

    def make(self, outputs: int) -> torch.nn.Module:
        from harness_tasks.segmentation.models.segnet_network import SegNetNetwork

        return SegNetNetwork(outputs, self.option("width"), self.option("upsampling"), self.option("skips"))

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        network = super().build(classes, initial)
        if self.option("encoder_weights") and initial is None:
            _fill_encoder(network, self.option("encoder_weights"))
        return network

    def identity_config(self) -> Mapping[str, Value]:
        """Return the options. The path of the encoder's weights is replaced by the file's digest."""
        from harness.weights import from_file

        path = self.option("encoder_weights")
        return {**self.config, "encoder_weights": from_file(self.name, path).digest if path else None}


def _fill_encoder(network: torch.nn.Module, asked: str) -> None:
    """Copy the convolutions of torchvision's vgg16_bn into the encoder.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    from harness.weights import from_file, load_state
    from harness_tasks.segmentation.models.segnet_network import vgg16_bn_names

    state, names = load_state(from_file(SegNet.name, asked)), vgg16_bn_names()
    tensors = network.state_dict()
    mismatched = [
        source
        for source, target in names.items()
        if not source.endswith("num_batches_tracked")
        and (source not in state or state[source].shape != tensors[target].shape)
    ]
    if mismatched:
        raise WeightsError(
            f"encoder weights {asked}: {len(mismatched)} of the tensors of torchvision's vgg16_bn are missing or have "
            f"another shape ({mismatched[0]}, ...). Expected is the file of torchvision.models.vgg16_bn."
        )
    tensors.update({target: state[source] for source, target in names.items() if source in state})
    network.load_state_dict(tensors)


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [SegNet]
