"""Label maps from scores: the class with the largest score of each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["label_maps"]

_BLOCK = 1 << 15
"""Pixels that are compared at once: few enough that their scores stay in the CPU cache."""
_FEW_THREADS = 4
"""With more threads, torch's argmax is faster."""


def label_maps(scores: torch.Tensor) -> NDArray[np.uint8]:
    """Return the class with the largest score of each pixel, the first one of equal ones: uint8[N, H, W].

    The result equals torch's `argmax`. But torch's `argmax` on a CPU takes a tenth of a second for some images, so on
    few threads the classes are compared one after the other, for many pixels at once.

    Args:
        scores: float[N, C, H, W] with at most 256 classes, on any device. NaN counts as the largest score.
    """
    import torch

    if scores.device.type != "cpu" or scores.dtype != torch.float32 or torch.get_num_threads() > _FEW_THREADS:
        return _by_torch(scores)
    import numpy as np

    labels = np.zeros((len(scores), *scores.shape[2:]), np.uint8)
    for image, found in zip(scores.numpy(), labels, strict=True):
        if not _fill(image, found.reshape(-1)):
            return _by_torch(scores)
    return labels


def _by_torch(scores: torch.Tensor) -> NDArray[np.uint8]:
    import torch

    labels: NDArray[np.uint8] = scores.argmax(dim=1).to(torch.uint8).cpu().numpy()
    return labels


def _fill(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> bool:
    """Write the labels uint8[H W], which are 0, of scores float32[C, H, W]; return False if a score is NaN."""
    import cv2
    import numpy as np

    count = len(scores)
    channels_last = scores.strides[0] == scores.itemsize and count > 1
    rows = np.moveaxis(scores, 0, -1).reshape(-1, count) if channels_last else scores.reshape(count, -1)
    larger, number = np.empty(_BLOCK, np.bool_), np.empty(_BLOCK, np.uint8)
    for start in range(0, len(labels), _BLOCK):
        part = slice(start, start + _BLOCK)
        block = np.asarray(cv2.transpose(rows[part])) if channels_last else rows[:, part]
        found = labels[part]
        best, above, chosen = block[0].copy(), larger[: len(found)], number[: len(found)]
        for label in range(1, count):
            np.greater(block[label], best, out=above)
            np.maximum(block[label], best, out=best)
            # Labels increase, so the last one that is larger than all before is the largest one.
            np.multiply(above.view(np.uint8), np.uint8(label), out=chosen)
            np.maximum(found, chosen, out=found)
        if np.isnan(best).any():
            return False
    return True
