"""What frames go through on their way into training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.codec import Frames

__all__ = ["FrameCoding"]


@dataclass(frozen=True)
class FrameCoding:
    """What frames go through before they are prepared, such as a codec at a level.

    Args:
        key: what identifies it, and with it the training.
        action: frames uint8[T, H, W, 3], frames a second (None for an image) and a random generator -> frames. It
            goes to worker processes.
        problems: what the user should know of how the action went in this process (a cache that is full).
    """

    key: str
    action: Callable[[Frames, float | None, np.random.Generator], Frames]
    problems: Callable[[], Sequence[str]] = tuple

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("what frames go through needs a key: two trainings that differ in it must not share one")

    def __call__(self, frames: Frames, fps: float | None, rng: np.random.Generator) -> Frames:
        return self.action(frames, fps, rng)
