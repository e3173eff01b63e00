"""The network of SegNet, with a configurable number of channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SegNetNetwork", "vgg16_bn_names"]

_CHANNELS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions per stage in VGG16's five stages (Simonyan and Zisserman, ICLR 2015, configuration D)."""


class SegNetNetwork(nn.Module):
    """SegNet as in Badrinarayanan, Kendall and Cipolla, "SegNet" (IEEE TPAMI 39, 2017), figure 2 and table 1.

    The encoder has VGG16's 13 convolutions with batch normalisation. Each stage ends in a 2x2 max-pooling that stores
    the positions of the maxima. The decoder mirrors the encoder: each stage puts the values back at these positions
    (`unpool`) and fills the sparse map with convolutions. Nothing else is passed from encoder to decoder. The last
    convolution returns the class scores, without normalisation.

    Pooling rounds sizes up, as in Caffe, the framework of the original: 45 rows become 23, and unpooling restores 45.
    So images of any size can be used without padding.

    Args:
        classes: number of classes.
        width: factor on every number of channels; 1 is the original.
        upsampling: how a decoder stage increases the resolution: `unpool`, as above; `bilinear` interpolation; or
            `transposed`, a learnt 2x2 transposed convolution with stride 2. The last two use no indices. (The paper
            compares such variants in section 3.1, Bilinear-Interpolation and FCN-like; here they are in SegNet's
            frame.)
        skips: whether each decoder stage adds the encoder's feature maps of the same resolution after upsampling (the
            variant EncoderAddition of the same section). This needs more memory and is more accurate.
    """

    def __init__(self, classes: int, width: float = 1.0, upsampling: str = "unpool", skips: bool = False) -> None:
        super().__init__()
        channels = [max(1, round(count * width)) for count in _CHANNELS]
        self.upsampling = upsampling
        self.skips = skips
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.upsample = nn.ModuleList()
        inputs = 3
        for count, length in zip(channels, _CONVOLUTIONS, strict=True):
            self.encoder.append(_stage([inputs, *[count] * length]))
            inputs = count
        for index in reversed(range(len(channels))):
            count, length = channels[index], _CONVOLUTIONS[index]
            if upsampling == "transposed":
                self.upsample.append(nn.ConvTranspose2d(count, count, 2, 2))
            # In the last decoder stage, the classifier takes the place of the last convolution.
            outputs = [channels[index - 1]] if index else []
            self.decoder.append(_stage([count] * length + outputs))
        self.classifier = nn.Conv2d(channels[0], classes, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Compute scores float[B, classes, H, W] from normalised images float[B, 3, H, W]."""
        encoded: list[tuple[Tensor, Tensor]] = []
        features = images
        for stage in self.encoder:
            full = stage(features)
            features, indices = F.max_pool2d(full, 2, 2, ceil_mode=True, return_indices=True)
            encoded.append((full, indices))
        for number, stage in enumerate(self.decoder):
            full, indices = encoded.pop()
            enlarged = self._enlarge(number, features, indices, full.shape[-2:])
            features = stage(enlarged + full if self.skips else enlarged)
        scores: Tensor = self.classifier(features)
        return scores

    def _enlarge(self, number: int, features: Tensor, indices: Tensor, size: torch.Size) -> Tensor:
        """Increase the resolution of the features to `size`, by the chosen method."""
        if self.upsampling == "unpool":
            return F.max_unpool2d(features, indices, [2, 2], [2, 2], output_size=list(size))
        if self.upsampling == "bilinear":
            return F.interpolate(features, size, mode="bilinear", align_corners=False)
        enlarged: Tensor = self.upsample[number](features)
        return enlarged[..., : size[0], : size[1]]


def _stage(channels: Sequence[int]) -> nn.Sequential:
    """Return 3x3 convolutions with these numbers of channels, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def vgg16_bn_names() -> dict[str, str]:
    """Return the name in the encoder of each tensor of torchvision's `vgg16_bn().features`.

    >>> vgg16_bn_names()["features.7.weight"]
    'encoder.1.0.weight'
    """
    names: dict[str, str] = {}
    position = 0
    for stage, length in enumerate(_CONVOLUTIONS):
        for number in range(length):
            for kind in ("weight", "bias"):
                names[f"features.{position}.{kind}"] = f"encoder.{stage}.{3 * number}.{kind}"
            for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                names[f"features.{position + 1}.{kind}"] = f"encoder.{stage}.{3 * number + 1}.{kind}"
            position += 3
        position += 1  # the pooling
    return names
