"""What depth models give and depth datasets want: depth maps.

A prediction is float32[H, W], in the size of the source frame and in the dataset's unit (metres unless it says
otherwise), positive and finite everywhere. A target is float32[H, W], `MISSING` where nothing was measured.
"""

from __future__ import annotations

__all__ = ["MISSING"]

MISSING = float("nan")
"""The depth of pixels that were not measured; they are left out of every statistic."""
