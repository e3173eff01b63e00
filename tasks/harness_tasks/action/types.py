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
        spatial: float32[C] or float64[C], 0-1, from the stream on frames, averaged over the clip's sampled frames.
        motion: float32[C] or float64[C], 0-1, from the stream on optical flow, averaged over the clip's sampled stacks.
    """

    spatial: NDArray[np.float32] | NDArray[np.float64]
    motion: NDArray[np.float32] | NDArray[np.float64]

    def check(self, classes: int) -> None:
        """Check the probabilities of a model with so many classes.

        Raises:
            ContentError: a field has another type, shape or dtype than above, or a value outside 0-1.
        """
        from harness_tasks.checks import check_array, check_range

        for name in ("spatial", "motion"):
            check_array(name, getattr(self, name), "real", (classes,))
            check_range(name, getattr(self, name), 0, 1)
