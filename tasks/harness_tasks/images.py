"""Convert images to the form that networks need: tensors, channels first, and in a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["channels_first", "frames_tensor", "resized", "resized_frame"]


def frames_tensor(frames: NDArray[np.uint8], scored: Sequence[int]) -> torch.Tensor:
    """Return the scored frames as they were decoded, as a tensor uint8[S, H, W, 3].

    If all frames are scored, the tensor shares their memory (unless they are read-only).

    Args:
        frames: uint8[T, H, W, 3].
        scored: the numbers of the scored frames.
    """
    import torch

    chosen = frames if list(scored) == list(range(len(frames))) else frames[list(scored)]
    shared = chosen.flags.c_contiguous and chosen.flags.writeable
    return torch.from_numpy(chosen if shared else chosen.copy())


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
