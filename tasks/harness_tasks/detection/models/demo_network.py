"""The network of the demo detector. This module imports torch; only demo.py imports it, when it builds a network."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign

__all__ = ["demo_network"]

_CHANNELS = (32, 48, 96, 128, 128)
_PYRAMID = 64
_HIDDEN = 192
_SIZES = ((12, 20, 32), (48, 72), (104, 160))
_RATIOS = (0.45, 1.0, 2.6)


def demo_network(outputs: int) -> nn.Module:
    """Return a new network. It scales images to fit 256x192 (the size of the demo world), and scales the boxes back.

    Args:
        outputs: number of classes, including the background.
    """
    anchors = AnchorGenerator(_SIZES, (_RATIOS,) * len(_SIZES))
    network: nn.Module = FasterRCNN(
        _Pyramid(),
        rpn_anchor_generator=anchors,
        rpn_head=nn.Identity(),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2, canonical_scale=112, canonical_level=4),
        box_head=_BoxHead(),
        box_predictor=FastRCNNPredictor(_HIDDEN, outputs),
        min_size=192,
        max_size=256,
        image_mean=[0.44] * 3,
        image_std=[0.22] * 3,
        box_batch_size_per_image=32,
        box_positive_fraction=0.4,
        box_score_thresh=0.03,
        box_nms_thresh=0.5,
    )
    network.rpn = _Proposals(
        anchors,
        _ProposalHead(),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=128,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 400, "testing": 150},
        post_nms_top_n={"training": 160, "testing": 70},
        nms_thresh=0.7,
    )
    return network


class _Convolution(nn.Sequential):
    """A 3x3 convolution, batch norm and ReLU."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
        )


class _Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut. It is initialised as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(features + self.norm(self.second(self.first(features))))


class _Pyramid(nn.Module):
    """The backbone with its feature pyramid: feature maps "0" to "3" at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = _PYRAMID
        self.stem = _Convolution(3, _CHANNELS[0], 2)
        pairs = list(itertools.pairwise(_CHANNELS))
        self.stages = nn.ModuleList(nn.Sequential(_Convolution(a, b, 2), _Residual(b)) for a, b in pairs)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, _PYRAMID, 1) for channels in _CHANNELS[1:])
        self.smooth = nn.ModuleList(nn.Conv2d(_PYRAMID, _PYRAMID, 3, padding=1) for _ in _CHANNELS[1:])

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        features, maps = self.stem(images), []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        top: torch.Tensor | None = None
        outputs: list[tuple[str, torch.Tensor]] = []
        for level in reversed(range(len(maps))):
            merged = self.lateral[level](maps[level])
            if top is not None:
                merged = merged + functional.interpolate(top, size=merged.shape[-2:], mode="nearest")
            top = merged
            outputs.append((str(level), self.smooth[level](merged)))
        return OrderedDict(reversed(outputs))


def _output(channels: int, bias: float) -> nn.Conv2d:
    """Return the last layer of a dense head: small weights, and a bias that sets the initial objectness."""
    layer = nn.Conv2d(_PYRAMID, channels, 1)
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)
    return layer


class _ProposalHead(nn.Module):
    """Predicts objectness and box offsets of each anchor. The levels have different numbers of anchors."""

    def __init__(self) -> None:
        super().__init__()
        anchors = [len(sizes) * len(_RATIOS) for sizes in _SIZES]
        self.shared = nn.Conv2d(_PYRAMID, _PYRAMID, 3, padding=1)
        self.objectness = nn.ModuleList(_output(count, -3.0) for count in anchors)
        self.offsets = nn.ModuleList(_output(4 * count, 0.0) for count in anchors)

    def forward(self, features: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        hidden = [functional.relu(self.shared(level)) for level in features]
        return (
            [layer(level) for layer, level in zip(self.objectness, hidden, strict=True)],
            [layer(level) for layer, level in zip(self.offsets, hidden, strict=True)],
        )


class _Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """Region proposals from all pyramid levels except the finest."""

    def forward(self, images: Any, features: dict[str, torch.Tensor], targets: Any = None) -> Any:
        coarse = OrderedDict((name, level) for name, level in features.items() if name != "0")
        return super().forward(images, coarse, targets)


class _BoxHead(nn.Module):
    """Two hidden layers on the 7x7 features of a proposal."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(_PYRAMID * 49, _HIDDEN)
        self.second = nn.Linear(_HIDDEN, _HIDDEN)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.second(functional.relu(self.first(features.flatten(1)))))
