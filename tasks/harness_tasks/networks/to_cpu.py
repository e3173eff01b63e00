"""Moves the results of a batch from the device to the CPU in one copy.

A copy from a GPU waits until the GPU has finished all that it was told to do. So a copy for each tensor of each image
would make the GPU wait for the CPU, and the CPU for the GPU, many times in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["joined", "on_cpu", "taken_apart"]


def on_cpu(outputs: Sequence[Mapping[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
    """Return the outputs of a batch on the CPU: from a GPU in one copy, whatever their number, shapes and dtypes."""
    tensors = [tensor for output in outputs for tensor in output.values()]
    if not tensors or any(tensor.device.type != "cuda" for tensor in tensors):
        return [{name: tensor.cpu() for name, tensor in output.items()} for output in outputs]
    moved = iter(taken_apart(joined(tensors).cpu(), tensors))
    return [{name: next(moved) for name in output} for output in outputs]


def joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the bytes of tensors of one device, uint8[bytes]: those with the longest numbers first."""
    import torch

    return torch.cat([tensors[place].reshape(-1).contiguous().view(torch.uint8) for place in _order(tensors)])


def taken_apart(whole: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the tensors whose bytes `joined` joined, with the shapes and dtypes of `like`. They share its memory."""
    found, start = list(like), 0
    for place in _order(like):
        shape, dtype = like[place].shape, like[place].dtype
        end = start + prod(shape) * dtype.itemsize
        found[place] = whole[start:end].view(dtype).view(shape)
        start = end
    return found


def _order(tensors: Sequence[torch.Tensor]) -> list[int]:
    """Return the places of the tensors, those with the longest numbers first: so every number is aligned."""
    return sorted(range(len(tensors)), key=lambda place: -tensors[place].dtype.itemsize)
