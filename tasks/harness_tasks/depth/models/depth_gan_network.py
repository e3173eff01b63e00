"""The two players of `depth-gan`. Imports torch: only depth_gan.py imports it, when a network is made.

Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), with changes
that save time: the generator's encoder steps are residual and fewer, and its decoder doubles the resolution by
repetition and a convolution instead of by transposed convolutions, which leave a chequered pattern (Odena et al.,
Distill 2016). There is no noise: pix2pix's dropout serves to vary the output, which is not wanted here.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from harness_tasks.networks.small import Convolution, Residual

__all__ = ["DIVISOR", "DepthGanNetwork", "Discriminator", "Generator"]

_MULTIPLES = (1, 2, 4, 8, 16, 16)
"""Channels at strides 1 to 32, in units of the width."""

DIVISOR = 2 ** (len(_MULTIPLES) - 1)
"""The generator works on multiples of so many pixels; other sizes are padded by repeating the border."""


class DepthGanNetwork(nn.Module):
    """A generator and the discriminator it was trained against.

    Args:
        width: channels of the generator at full resolution; it has 16 times as many at the coarsest.
        discriminator: whether there is a discriminator; inference needs none.
    """

    def __init__(self, width: int, discriminator: bool = True) -> None:
        super().__init__()
        self.generator = Generator(width)
        if discriminator:
            self.discriminator = Discriminator(2 * width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What the generator gives."""
        found: torch.Tensor = self.generator(images)
        return found


class Generator(nn.Module):
    """A U-Net: an encoder to stride 32, and a decoder that sees the encoder's features of every resolution again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [multiple * width for multiple in _MULTIPLES]
        pairs = list(itertools.pairwise(channels))
        self.stem = Convolution(3, channels[0])
        self.down = nn.ModuleList(
            nn.Sequential(Convolution(fine, coarse, stride=2), Residual(coarse)) for fine, coarse in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.merge = nn.ModuleList(Convolution(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv2d(channels[0], 1, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images float32[N, 3, H, W], RGB 0-1 -> float32[N, 1, H, W] in 0-1 (near to far, or far to near)."""
        height, width = images.shape[-2:]
        features = self.stem(_padded((images - 0.5) * 4))
        skips = []
        for step in self.down:
            skips.append(features)
            features = step(features)
        for level in reversed(range(len(skips))):
            features = functional.interpolate(self.narrow[level](features), scale_factor=2.0, mode="nearest")
            features = self.merge[level](torch.cat([features, skips[level]], dim=1))
        return torch.sigmoid(self.head(features).float())[..., :height, :width]


class Discriminator(nn.Module):
    """Tells, for overlapping patches of some 70x70 pixels, whether a depth map is the true one of its image.

    It sees the image too, so that a plausible map of another scene is a false one; and both at half the resolution,
    which makes of four layers the patches that Isola et al. found best, at a quarter of the cost.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, channels, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            *_patch_layer(channels, 2 * channels, stride=2),
            *_patch_layer(2 * channels, 4 * channels, stride=1),
            nn.Conv2d(4 * channels, 1, 4, padding=1),
        )

    def forward(self, images: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
        """Images float32[N, 3, H, W] (0-1) and maps float32[N, 1, H, W] (0-1) -> logits float32[N, 1, h, w]."""
        halved = functional.avg_pool2d(torch.cat([images, depth], dim=1), 2, ceil_mode=True)
        found: torch.Tensor = self.layers((halved - 0.5) * 4)
        return found


def _patch_layer(inside: int, outside: int, stride: int) -> tuple[nn.Module, ...]:
    """4x4 convolution, batch norm, leaky ReLU, as in pix2pix's discriminator."""
    return (
        nn.Conv2d(inside, outside, 4, stride, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _padded(images: torch.Tensor) -> torch.Tensor:
    """The images with their right and lower border repeated up to the next multiple of the divisor."""
    height, width = images.shape[-2:]
    missing = (0, -width % DIVISOR, 0, -height % DIVISOR)
    return functional.pad(images, missing, mode="replicate") if any(missing) else images
