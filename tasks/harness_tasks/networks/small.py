"""The small front: a residual backbone that is small enough to train and run on one CPU core.

This module imports torch, so only modules that build networks import it. A model stores its front in a submodule named
`front`. So a model of another task can start from the front in its checkpoint (`front_of`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

__all__ = ["CHANNELS", "Convolution", "Residual", "SmallFront", "front_of", "normalised"]

CHANNELS = (32, 64, 128)
"""Number of channels of the front's features at strides 2, 4 and 8."""
_PREFIX = "front."
_MEAN, _DEVIATION = 0.44, 0.22


class Convolution(nn.Sequential):
    """A 3x3 convolution without bias, then batch norm and ReLU. Padding is "same"; stride and dilation are optional."""

    def __init__(self, inside: int, outside: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inside, outside, 3, stride, dilation, dilation, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al., CVPR 2016). It is initialised as the identity."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(features + self.norm(self.second(self.first(features))))


class SmallFront(nn.Module):
    """A stem and two residual stages: 0.46 M parameters, 0.58 GMAC for an image of 256x192.

    Input: float32[B, channels, H, W]; RGB images must go through `normalised` first. Output: ReLU features
    float32[B, C, ceil(H / s), ceil(W / s)] with C = 32, 64, 128 at strides s = 2, 4, 8.

    Args:
        channels: number of input channels: 3 for RGB, or that of a stack of flow fields.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.stem = Convolution(channels, CHANNELS[0], 2)
        self.stages = nn.ModuleList(
            nn.Sequential(Convolution(a, b, 2), Residual(b)) for a, b in itertools.pairwise(CHANNELS)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features at stride 8."""
        return self.pyramid(images)[-1]

    def pyramid(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the features at strides 2, 4 and 8."""
        features = [self.stem(images)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Normalise RGB images 0-255 of any dtype for the front: float32 of about zero mean and unit variance."""
    return images.to(torch.float32, copy=True).div_(255).sub_(_MEAN).div_(_DEVIATION)


def front_of(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of the front from a model's state dict, without the prefix `front.`; empty without a front.

    >>> list(front_of({"front.stem.0.weight": torch.zeros(1), "head.weight": torch.zeros(1)}))
    ['stem.0.weight']
    """
    return {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
