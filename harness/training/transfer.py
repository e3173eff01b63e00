"""Moves batches to a device: tensors may be nested in tuples, lists, mappings and dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["pin", "to_device"]


def to_device(batch: Any, device: torch.device) -> Any:
    """Return the batch with every tensor on the device. Copies from pinned memory are asynchronous."""
    return _each(batch, lambda tensor: tensor.to(device, non_blocking=True))


def pin(batch: Any) -> Any:
    """Return the batch with every tensor in pinned (page-locked) memory, from which a GPU copies while it computes."""
    return _each(batch, lambda tensor: tensor.pin_memory())


def _each(value: Any, action: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return a copy of a nested value with the action applied to each of its tensors."""
    import torch

    if isinstance(value, torch.Tensor):
        return action(value)
    if isinstance(value, Mapping):
        return {key: _each(item, action) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(item, action) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_each(item, action) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _each(getattr(value, f.name), action) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **changed)
    return value
