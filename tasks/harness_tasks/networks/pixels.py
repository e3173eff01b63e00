"""Convert decoded frames to the images that a network sees, on the device and in place.

Every pixel goes through the same operations as in the usual formula (image / 255 - mean) / deviation, one after the
other, so it gets the same bits. Only the temporary images between the operations are saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["float_images", "normalise_"]


def float_images(frames: torch.Tensor, device: str) -> torch.Tensor:
    """Move frames uint8[..., H, W, 3] to the device; return new images float32[N, 3, H, W], 0-255, channels last."""
    import torch

    moved = frames.to(device, non_blocking=True)
    return moved.reshape(-1, *moved.shape[-3:]).permute(0, 3, 1, 2).to(torch.float32)


def normalise_(
    images: torch.Tensor, mean: Sequence[float] | torch.Tensor, deviation: Sequence[float] | torch.Tensor
) -> torch.Tensor:
    """Compute (images - mean) / deviation in place, and return the images.

    Args:
        images: float[N, C, H, W]. Channels last is fastest.
        mean: the mean of each channel, C numbers.
        deviation: the standard deviation of each channel.
    """
    pixels, width = images.permute(0, 2, 3, 1), images.shape[3]
    if not pixels.is_contiguous():
        means, deviations = (_repeated(values, 1, images) for values in (mean, deviation))
        images.sub_(means[:, None, None]).div_(deviations[:, None, None])
        return images
    # Whole rows: a broadcast over three values at the innermost dimension could not be vectorised.
    means, deviations = (_repeated(values, width, images) for values in (mean, deviation))
    pixels.reshape(-1, width * images.shape[1]).sub_(means).div_(deviations)
    return images


def _repeated(values: Sequence[float] | torch.Tensor, times: int, like: torch.Tensor) -> torch.Tensor:
    """Return the values of the channels `times` times, with the dtype and on the device of a tensor."""
    import torch

    if isinstance(values, torch.Tensor):
        return values.to(like.device, like.dtype).repeat(times)
    return _constant(tuple(map(float, values)), times, like.dtype, like.device)


@lru_cache(maxsize=64)
def _constant(values: tuple[float, ...], times: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Make `_repeated` once for all batches of one width. Nobody may write to it."""
    import torch

    with torch.inference_mode(False):  # so that training can use it too
        return torch.tensor(values, dtype=dtype, device=device).repeat(times)
