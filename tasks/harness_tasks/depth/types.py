"""The type of predictions and targets in depth estimation: depth maps.

A prediction is float32[H, W], in the size of the source frame and in the dataset's unit (metres by default), positive
and finite everywhere. A target is float32[H, W], with `MISSING` where the depth was not measured.
"""

from __future__ import annotations

__all__ = ["MISSING"]

MISSING = float("nan")
"""The depth of pixels that were not measured. No statistic counts them."""
