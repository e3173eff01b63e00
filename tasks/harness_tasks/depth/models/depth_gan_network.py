"""The generator and the discriminator of the model `depth-gan`.

This module imports torch; only depth_gan.py imports it, when it builds a network.

The networks follow Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017), with changes that save time. The generator's encoder has fewer steps, and they are residual. Its decoder doubles
the resolution by nearest-neighbour upsampling and a convolution. The transposed convolutions of the paper would leave
checkerboard artefacts (Odena et al., Distill 2016). There is no dropout: pix2pix uses it as noise that varies the
output, which is not wanted here.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from harness_tasks.networks.small import Convolution, Residual

__all__ = ["DIVISOR", "DepthGanNetwork", "Discriminator", "Generator"]

_MULTIPLES = (1, 2, 4, 8, 16, 16)
"""Number of channels at strides 1 to 32, as multiples of the width."""

DIVISOR = 2 ** (len(_MULTIPLES) - 1)
"""The generator needs sides that are multiples of this number; other sizes are padded by repeating the border."""


class DepthGanNetwork(nn.Module):
    """A generator with its discriminator.

    Args:
        width: channels of the generator at full resolution; at the coarsest resolution it has 16 times as many.
        discriminator: whether to create the discriminator; inference does not need it.
    """

    def __init__(self, width: int, discriminator: bool = True) -> None:
        super().__init__()
        self.generator = Generator(width)
        if discriminator:
            self.discriminator = Discriminator(2 * width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the generator's output."""
        shares: torch.Tensor = self.generator(images)
        return shares


class Generator(nn.Module):
    """A U-Net: an encoder down to stride 32, and a decoder with skip connections from the encoder at each
    resolution."""

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
        """Compute depth shares float32[N, 1, H, W], 0-1, from RGB images float32[N, 3, H, W], 0-1.

        Whether 0 means near or far depends on how the network was trained.
        """
        height, width = images.shape[-2:]
        features = self.stem(_padded((images - 0.5).mul_(4)))
        skips = []
        for step in self.down:
            skips.append(features)
            features = step(features)
        for level in reversed(range(len(skips))):
            features = functional.interpolate(self.narrow[level](features), scale_factor=2.0, mode="nearest")
            features = self.merge[level](torch.cat([features, skips[level]], dim=1))
        return torch.sigmoid(self.head(features).float())[..., :height, :width]


class Discriminator(nn.Module):
    """Classifies overlapping patches of about 70x70 pixels: is the depth map the true one of the image?

    It sees the image too, so a plausible map of another scene counts as false. Image and map are first reduced to half
    resolution. So four layers cover patches of the size that Isola et al. found best, at a quarter of the cost.
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
        """Compute logits float32[N, 1, h, w] from images float32[N, 3, H, W] and depth shares float32[N, 1, H, W], both
        0-1."""
        halved = functional.avg_pool2d(torch.cat([images, depth], dim=1), 2, ceil_mode=True)
        logits: torch.Tensor = self.layers((halved - 0.5) * 4)
        return logits


def _patch_layer(inside: int, outside: int, stride: int) -> tuple[nn.Module, ...]:
    """Return a 4x4 convolution, batch norm and leaky ReLU, as in pix2pix's discriminator."""
    return (
        nn.Conv2d(inside, outside, 4, stride, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _padded(images: torch.Tensor) -> torch.Tensor:
    """Pad the images on the right and at the bottom to the next multiple of DIVISOR, by repeating the border."""
    height, width = images.shape[-2:]
    missing = (0, -width % DIVISOR, 0, -height % DIVISOR)
    return functional.pad(images, missing, mode="replicate") if any(missing) else images
