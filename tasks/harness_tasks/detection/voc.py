"""VOC's rule for whether a detection is true, false or void (Everingham et al., IJCV 2010, and its kit's VOCevaldet.m).

The kit's corners are whole pixels, both included, counted from 1, so its overlaps add 1 to each side. A box from xmin
to xmax there becomes (xmin - 1, xmax) here, where x2 is exclusive. The sides, and so the overlaps, are the same
numbers. Detections with fractional coordinates are converted in the same way, as in detectron2's VOC evaluator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FALSE", "TRUE", "VOID", "voc_outcomes"]

FALSE, TRUE, VOID = 0, 1, 2


def voc_outcomes(
    own: NDArray[np.float64], crowd: NDArray[np.float64] | None, difficult: NDArray[np.bool_], threshold: float = 0.5
) -> NDArray[np.uint8]:
    """Return the outcome of each detection in one frame.

    Each detection is assigned to the object of its class with the largest overlap (the first of equal ones), even if
    that object is already matched. If the overlap reaches the threshold, the detection is true; it is false if the
    object is already matched; it is always void if the object is difficult. VOC has no crowds: here, a detection that
    matches no object and lies in a crowd is void.

    Args:
        own: float64[N, M], intersection over union with the objects of the detection's class; 0 for other objects and
            for crowds. Within a class, the most confident detection comes first.
        crowd: float64[N, M], share of the detection that lies in a crowd of its class; None if there are no crowds.
        difficult: bool[M].
        threshold: the smallest overlap that counts as a match.

    Returns:
        uint8[N]: FALSE, TRUE or VOID.
    """
    outcomes = np.zeros(own.shape[0], np.uint8)
    if not own.shape[1]:
        return outcomes
    best = own.argmax(axis=1)
    reached = own.max(axis=1) >= threshold
    if crowd is not None:
        outcomes[~reached & (crowd.max(axis=1) >= threshold)] = VOID
    taken: set[int] = set()
    for row in np.flatnonzero(reached).tolist():
        column = int(best[row])
        if difficult[column]:
            outcomes[row] = VOID
        elif column not in taken:
            taken.add(column)
            outcomes[row] = TRUE
    return outcomes
