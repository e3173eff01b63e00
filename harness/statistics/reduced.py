"""Checks what a task's `reduce` gives: for each metric a number for each set of samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import PluginError, found

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task import Reducer

__all__ = ["checked"]


def checked(reduce: Reducer, metrics: Collection[str]) -> Reducer:
    """Return the function, which now checks its values.

    Args:
        reduce: what `Task.reducer` returned.
        metrics: the names of the metrics that it computes. It may compute others too.

    The returned function raises a PluginError if a metric is missing, or has other values than a real number for each
    set.
    """

    def reduced(weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
        sets = 1 if weights is None else len(weights)
        values: Any = reduce(weights)
        if not isinstance(values, Mapping):
            raise PluginError(f"reduce gave {found(values)}; a mapping of names to arrays is expected.")
        for name in metrics:
            if name not in values:
                raise PluginError(f"reduce gave no {name!r}, which is among the task's metrics.")
            array = np.asarray(values[name])
            if array.dtype.kind not in "fiub" or array.shape != (sets,):
                raise PluginError(
                    f"reduce gave of {name!r}: float64[{sets}] is expected, found {array.dtype}{list(array.shape)}."
                )
        return values if isinstance(values, dict) else dict(values)

    return reduced
