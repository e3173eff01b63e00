"""OpenPose's network, and a small network of the same kind.

This module imports torch; only openpose.py imports it, when it builds a network. Both networks take RGB images
float32[B, 3, H, W], 0-255, with H and W multiples of 16. For each stage they return the part affinity fields
float32[B, 38, H / s, W / s] and the confidence maps float32[B, 19, H / s, W / s] at stride s.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from harness_tasks.networks.small import CHANNELS, Convolution, Residual, SmallFront, normalised

__all__ = ["AFFINITIES", "CONFIDENCES", "STRIDES", "Front", "OpenPoseNetwork", "SmallOpenPoseNetwork", "new_network"]

Front = Literal["vgg19", "small"]
Maps = tuple[torch.Tensor, torch.Tensor]

AFFINITIES, CONFIDENCES = 38, 19
STRIDES = {"vgg19": 8, "small": 4}
"""Image pixels per map cell, by front."""

_VGG = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 256, 128)
_FEATURES = 128
_WIDTH = 64


def new_network(front: Front, stages: int) -> nn.Module:
    """Return a network with this front and number of stages, initialised from torch's random state."""
    return OpenPoseNetwork(stages) if front == "vgg19" else SmallOpenPoseNetwork(stages)


class OpenPoseNetwork(nn.Module):
    """The published body model: the first ten layers of VGG19, two more layers, and up to six stages at stride 8.

    As in Cao et al. (CVPR 2017), figure 3, each stage has one branch for the fields and one for the maps. The input of
    a stage is the features and the output of the stage before. With six stages it has 52 M parameters.
    """

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.front = _vgg_front()
        self.affinity = nn.ModuleList([_first_branch(AFFINITIES)])
        self.confidence = nn.ModuleList([_first_branch(CONFIDENCES)])
        for _ in range(stages - 1):
            self.affinity.append(_later_branch(AFFINITIES))
            self.confidence.append(_later_branch(CONFIDENCES))

    def forward(self, images: torch.Tensor) -> list[Maps]:
        """Compute the fields and maps of each stage. The images are converted to BGR / 256 - 0.5, as in the Caffe
        model."""
        features = self.front(images.flip(1).div_(256).sub_(0.5))
        stage_input, maps = features, []
        for affinity, confidence in zip(self.affinity, self.confidence, strict=True):
            maps.append((affinity(stage_input), confidence(stage_input)))
            stage_input = torch.cat([*maps[-1], features], 1)
        return maps


def _vgg_front() -> nn.Sequential:
    """Return the front: the first layers of VGG19 and two more."""
    layers: list[nn.Module] = []
    channels = 3
    for layer in _VGG:
        if isinstance(layer, int):
            layers += [nn.Conv2d(channels, layer, 3, padding=1), nn.ReLU(inplace=True)]
            channels = layer
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _branch(channels: tuple[int, ...], kernels: tuple[int, ...]) -> nn.Sequential:
    """Return convolutions with these channels and kernel sizes, with ReLU between them."""
    layers: list[nn.Module] = []
    for (inside, outside), kernel in zip(itertools.pairwise(channels), kernels, strict=True):
        layers += [nn.Conv2d(inside, outside, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _first_branch(outputs: int) -> nn.Sequential:
    return _branch((_FEATURES, 128, 128, 128, 512, outputs), (3, 3, 3, 1, 1))


def _later_branch(outputs: int) -> nn.Sequential:
    inside = _FEATURES + AFFINITIES + CONFIDENCES
    return _branch((inside, 128, 128, 128, 128, 128, 128, outputs), (7, 7, 7, 7, 7, 1, 1))


class SmallOpenPoseNetwork(nn.Module):
    """The small front, a context at a coarser stride, and light stages at stride 4.

    A stage has one trunk for both fields and maps. It has a dilated 3x3 convolution instead of the published model's
    7x7 convolutions, as in Osokin, "Real-time 2D Multi-Person Pose Estimation on CPU: Lightweight OpenPose" (2018). The
    stride is 4 because the key points of a person 150 pixels tall must be located within one or two pixels.
    """

    def __init__(self, stages: int) -> None:
        super().__init__()
        fine, wide = CHANNELS[1], CHANNELS[2]
        self.front = SmallFront()
        self.context = nn.Sequential(Convolution(wide, wide, 2), Residual(wide), Residual(wide, dilation=2))
        self.widen = nn.Conv2d(wide, wide, 1)
        self.middle = Convolution(wide, _WIDTH)
        self.lateral = nn.Conv2d(fine, _WIDTH, 1)
        self.features = Convolution(_WIDTH, _WIDTH)
        self.first = nn.Conv2d(_WIDTH, AFFINITIES + CONFIDENCES, 1)
        self.stages = nn.ModuleList(_SmallStage() for _ in range(stages - 1))

    def forward(self, images: torch.Tensor) -> list[Maps]:
        _, fine, wide = self.front.pyramid(normalised(images))
        context = functional.interpolate(self.widen(self.context(wide)), size=wide.shape[-2:], mode="nearest")
        middle = functional.interpolate(self.middle(wide + context), size=fine.shape[-2:], mode="nearest")
        features = self.features(self.lateral(fine) + middle)
        maps = [self.first(features)]
        for stage in self.stages:
            maps.append(stage(torch.cat([features, maps[-1]], 1)))
        return [(both[:, :AFFINITIES], both[:, AFFINITIES:]) for both in maps]


class _SmallStage(nn.Module):
    """One stage: computes maps from the features and the maps of the stage before."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(_WIDTH + AFFINITIES + CONFIDENCES, _WIDTH, 1)
        self.around = Convolution(_WIDTH, _WIDTH, dilation=2)
        self.output = nn.Conv2d(_WIDTH, AFFINITIES + CONFIDENCES, 1)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        reduced = functional.relu(self.reduce(seen))
        maps: torch.Tensor = self.output(reduced + self.around(reduced))
        return maps
