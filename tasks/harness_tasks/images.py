"""Images as networks take them: channels first, and in the size that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["channels_first", "resized", "resized_frame"]


def channels_first(frames: NDArray[np.uint8]) -> torch.Tensor:
    """uint8[..., H, W, C] as a contiguous tensor uint8[..., C, H, W]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, -3)))


def resized(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """float[N, C, H, W] in another height and width: bilinear, widened where it shrinks (antialiased)."""
    from torch.nn import functional

    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def resized_frame(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame uint8[H, W, C] through `resized`, rounded: training examples made so look as images do when predicted."""
    import numpy as np

    if frame.shape[:2] == tuple(size):
        return frame
    whole = resized(channels_first(frame)[None].float(), size)[0]
    return np.asarray(whole.round().byte().permute(1, 2, 0).numpy(), np.uint8)
