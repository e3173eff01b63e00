"""Convert images to the form that networks need: channels first, and in a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["channels_first", "resized", "resized_frame"]


def channels_first(frames: NDArray[np.uint8]) -> torch.Tensor:
    """Convert uint8[..., H, W, C] to a contiguous tensor uint8[..., C, H, W]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, -3)))


def resized(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize float[N, C, H, W] to `size` (height, width): bilinear, with antialiasing when it shrinks."""
    from torch.nn import functional

    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def resized_frame(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a frame uint8[H, W, C] with `resized`, and round to uint8.

    So training examples are resized in the same way as images in prediction.
    """
    import numpy as np

    if frame.shape[:2] == tuple(size):
        return frame
    scaled = resized(channels_first(frame)[None].float(), size)[0]
    return np.asarray(scaled.round().byte().permute(1, 2, 0).numpy(), np.uint8)
