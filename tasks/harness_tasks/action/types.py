"""The type of predictions in action recognition. The target is the clip's class, an int, at the clip's frame 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClipScores"]


@dataclass(frozen=True)
class ClipScores:
    """The class probabilities that a two-stream network predicts for one clip.

    Args:
        spatial: float32[C], from the stream on frames, averaged over the clip's sampled frames.
        motion: float32[C], from the stream on optical flow, averaged over the clip's sampled stacks.
    """

    spatial: NDArray[np.float32]
    motion: NDArray[np.float32]
