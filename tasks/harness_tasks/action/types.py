"""What action models give; a dataset's target is the clip's class, an int, kept at the clip's frame 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClipScores"]


@dataclass(frozen=True)
class ClipScores:
    """What the streams of a two-stream network say of one clip.

    Args:
        spatial: float32[C], class probabilities of the stream that sees frames, averaged over the clip's samples.
        motion: float32[C], the same of the stream that sees optical flow.
    """

    spatial: NDArray[np.float32]
    motion: NDArray[np.float32]
