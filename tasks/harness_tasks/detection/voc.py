"""VOC's rule of what a detection is: true, false, or void. Everingham et al., IJCV 2010, and VOCevaldet.m of its kit.

The kit's corners are whole pixels, both included, counted from 1, so that its overlaps add 1 to every side. A box from
xmin to xmax there is (xmin - 1, xmax) here, where x2 is exclusive: the sides, and so the overlaps, are the same
numbers. Real-valued detections convert the same way (detectron2's VOC evaluator does so too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FALSE", "TRUE", "VOID", "voc_outcomes"]

FALSE, TRUE, VOID = 0, 1, 2


def voc_outcomes(
    own: NDArray[np.float64], crowd: NDArray[np.float64], difficult: NDArray[np.bool_], threshold: float = 0.5
) -> NDArray[np.uint8]:
    """The outcome of every detection of one frame.

    Each detection stands for the object of its class that it overlaps most (of equal ones the first), taken or not.
    Overlapping it by the threshold or more, it is true; false if the object is already taken; void if the object is
    difficult, however often. VOC knows no crowds: a detection that hits no object and lies in a crowd is void.

    Args:
        own: float64[N, M], intersection over union with the objects of the detection's class, 0 for others and for
            crowds; of one class, the most confident detection first.
        crowd: float64[N, M], share of the detection that lies in a crowd of its class.
        difficult: bool[M].
        threshold: the smallest overlap that is a hit.

    Returns:
        uint8[N]: FALSE, TRUE or VOID.
    """
    outcomes = np.zeros(own.shape[0], np.uint8)
    if not own.shape[1]:
        return outcomes
    best = own.argmax(axis=1)
    reached = own.max(axis=1) >= threshold
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
