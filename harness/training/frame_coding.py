"""The coding of training frames: a function that is applied to the frames before the model prepares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.codec import Frames

__all__ = ["FrameCoding", "all_seen"]


def all_seen(count: int, fps: float | None) -> int:
    """Return 0: the targets of all frames can be learnt from."""
    return 0


@dataclass(frozen=True)
class FrameCoding:
    """A function that is applied to training frames before the model prepares them, such as a codec at a level.

    Args:
        key: identifies the function. It is a part of the training's key.
        action: the function. It takes frames uint8[T, H, W, 3], frames per second (None for an image) and a random
            generator, and returns frames. It runs in worker processes.
        problems: returns warnings for the user about the action in this process (for example: the cache is full).
        unseen: returns how many of a clip's first frames must not be learnt from, of its number of frames and its
            frame rate. With `fps=`, no frame may have been sent before them (`harness.media.levers.unseen_frames`).
    """

    key: str
    action: Callable[[Frames, float | None, np.random.Generator], Frames]
    problems: Callable[[], Sequence[str]] = tuple
    unseen: Callable[[int, float | None], int] = all_seen

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("what frames go through needs a key: two trainings that differ in it must not share one")

    def __call__(self, frames: Frames, fps: float | None, rng: np.random.Generator) -> Frames:
        return self.action(frames, fps, rng)
