"""The first step of torchvision's detectors, for a batch of frames of one size.

This module imports torchvision, so only modules that build networks import it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from harness_tasks.networks.pixels import normalise_

__all__ = ["BatchTransform"]


class BatchTransform(GeneralizedRCNNTransform):  # type: ignore[misc]
    """torchvision's transform, which also takes a batch of decoded frames, uint8[N, 3, H, W].

    The batch is converted to float, normalised, resized and padded with the same operations on each pixel as a list of
    float images, so the result has the same bits. It saves the list's copies: normalisation is in place, on the device.
    A list of images (and training) is left to torchvision.
    """

    @classmethod
    def of(cls, transform: GeneralizedRCNNTransform) -> BatchTransform:
        """Return a transform with the settings of torchvision's."""
        new = cls(
            transform.min_size,
            transform.max_size,
            transform.image_mean,
            transform.image_std,
            transform.size_divisible,
            transform.fixed_size,
            _skip_resize=transform._skip_resize,
        )
        return new.train(transform.training)  # type: ignore[no-any-return]

    def forward(self, images: Any, targets: Any = None) -> tuple[ImageList, Any]:
        """Return the network's input, float32[N, 3, h, w], with the size of each image before padding."""
        if not isinstance(images, torch.Tensor):
            return super().forward(images, targets)  # type: ignore[no-any-return]
        if images.dtype != torch.uint8 or images.dim() != 4:
            raise TypeError(f"uint8[N, 3, H, W] is expected, {images.dtype}{list(images.shape)} was given")
        pixels = normalise_(images.to(torch.float32).div_(255), self.image_mean, self.image_std)
        # On a CPU, images of one batch take turns in the same memory. A GPU resizes them all at once.
        parts = torch.split(pixels, 1 if pixels.device.type == "cpu" else len(pixels))
        batch, size = None, (0, 0)
        for number, part in enumerate(parts):
            resized = self._resized(part)
            if batch is None:
                size = (resized.shape[2], resized.shape[3])
                batch = self._padding(len(pixels), resized)
            batch[number : number + len(resized), :, : size[0], : size[1]].copy_(resized)
        return ImageList(batch, [size] * len(pixels)), None

    def _resized(self, images: torch.Tensor) -> torch.Tensor:
        """Resize float32[N, 3, H, W] as torchvision's `_resize_image_and_masks` resizes one image."""
        if self.fixed_size is not None:
            size = (self.fixed_size[1], self.fixed_size[0])
            return functional.interpolate(images, size, mode="bilinear", align_corners=False)
        shorter, longer = sorted(images.shape[-2:])
        return functional.interpolate(
            images,
            scale_factor=min(self.min_size[-1] / shorter, self.max_size / longer),
            mode="bilinear",
            recompute_scale_factor=True,
            align_corners=False,
        )

    def _padding(self, count: int, images: torch.Tensor) -> torch.Tensor:
        """Return room for `count` images, with sides that are multiples of `size_divisible`; the margins are zero."""
        height, width = images.shape[-2:]
        sides = (math.ceil(side / self.size_divisible) * self.size_divisible for side in (height, width))
        batch = images.new_empty((count, images.shape[1], *sides))
        batch[:, :, height:].zero_()
        batch[:, :, :height, width:].zero_()
        return batch
