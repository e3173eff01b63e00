"""The network of SegNet, of any width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SegNetNetwork", "vgg16_bn_names"]

_CHANNELS = (64, 128, 256, 512, 512)
_CONVOLUTIONS = (2, 2, 3, 3, 3)
"""VGG16's five stages (Simonyan and Zisserman, ICLR 2015, configuration D)."""


class SegNetNetwork(nn.Module):
    """Badrinarayanan, Kendall and Cipolla, "SegNet" (IEEE TPAMI 39, 2017), figure 2 and table 1.

    The encoder is VGG16's 13 convolutions with batch normalisation; each stage ends in a max-pooling of 2x2 that
    remembers where each maximum stood. The decoder mirrors it: each stage puts the values back to where the maxima
    stood (`unpool`), and densifies the sparse map by convolutions. Nothing else goes from encoder to decoder. The last
    convolution gives the classes, without normalisation.

    Pooling rounds up, as in Caffe, where the original was made: 45 rows become 23, and unpooling gives back 45. So
    images of any size go in as they are, and nothing is padded.

    Args:
        classes: outputs.
        width: multiplies every number of channels; 1 is the original.
        upsampling: how a decoder stage gets its resolution: `unpool`, as above; `bilinear` interpolation; or
            `transposed`, a learnt transposed convolution of 2x2 with stride 2. The latter two use no indices (the
            variants that the paper's section 3.1 compares with, Bilinear-Interpolation and FCN-like, in this frame).
        skips: whether each decoder stage adds the encoder's feature maps of its resolution to what it enlarged (the
            variant EncoderAddition of the same section), which costs memory and gives more accuracy.
    """

    def __init__(self, classes: int, width: float = 1.0, upsampling: str = "unpool", skips: bool = False) -> None:
        super().__init__()
        channels = [max(1, round(count * width)) for count in _CHANNELS]
        self.upsampling = upsampling
        self.skips = skips
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.upsample = nn.ModuleList()
        entering = 3
        for count, length in zip(channels, _CONVOLUTIONS, strict=True):
            self.encoder.append(_stage([entering, *[count] * length]))
            entering = count
        for index in reversed(range(len(channels))):
            count, length = channels[index], _CONVOLUTIONS[index]
            if upsampling == "transposed":
                self.upsample.append(nn.ConvTranspose2d(count, count, 2, 2))
            # The first stage's last convolution is the classifier.
            leaving = [channels[index - 1]] if index else []
            self.decoder.append(_stage([count] * length + leaving))
        self.classifier = nn.Conv2d(channels[0], classes, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float[B, 3, H, W] -> scores float[B, classes, H, W]."""
        passed: list[tuple[Tensor, Tensor]] = []
        features = images
        for stage in self.encoder:
            whole = stage(features)
            features, indices = F.max_pool2d(whole, 2, 2, ceil_mode=True, return_indices=True)
            passed.append((whole, indices))
        for number, stage in enumerate(self.decoder):
            whole, indices = passed.pop()
            enlarged = self._enlarge(number, features, indices, whole.shape[-2:])
            features = stage(enlarged + whole if self.skips else enlarged)
        scores: Tensor = self.classifier(features)
        return scores

    def _enlarge(self, number: int, features: Tensor, indices: Tensor, size: torch.Size) -> Tensor:
        if self.upsampling == "unpool":
            return F.max_unpool2d(features, indices, [2, 2], [2, 2], output_size=list(size))
        if self.upsampling == "bilinear":
            return F.interpolate(features, size, mode="bilinear", align_corners=False)
        enlarged: Tensor = self.upsample[number](features)
        return enlarged[..., : size[0], : size[1]]


def _stage(channels: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions through these numbers of channels, each normalised and rectified."""
    layers: list[nn.Module] = []
    for entering, leaving in pairwise(channels):
        layers += [nn.Conv2d(entering, leaving, 3, padding=1), nn.BatchNorm2d(leaving), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def vgg16_bn_names() -> dict[str, str]:
    """For each tensor of torchvision's `vgg16_bn().features`, its name in the encoder.

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
