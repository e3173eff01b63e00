"""The base class of models that predict a value for every pixel of a frame, at the frame's own size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.model import Memo, Model
from harness.options import Value
from harness_tasks.images import frames_tensor
from harness_tasks.library import library_version

if TYPE_CHECKING:
    import torch

    from harness.codec import Frames
    from harness.dataset import Outline

__all__ = ["DenseModel"]


class DenseModel(Model):
    """A model with one prediction per pixel.

    A prepared sample is uint8[S, H, W, 3]: the S scored frames as they were decoded.
    """

    def fingerprint(self) -> Mapping[str, Value]:
        return {"torch": library_version("torch")}

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (len(outline.scored), outline.height, outline.width, 3)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> torch.Tensor:
        return frames_tensor(frames, scored)
