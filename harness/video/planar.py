"""Whether decoded frames may be converted to RGB by way of three planes (`harness.video.merge_planes`)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from harness.video.scaler import Picture, Scaler

__all__ = ["PACKED", "PLANAR", "is_equal"]

PACKED = Picture("rgb24", matrix=0, range_code=2, siting=None)
"""RGB with the three values of a pixel side by side, in the full range."""
PLANAR = replace(PACKED, pix_fmt="gbrp")
"""RGB in three planes, in the order G, B, R."""


@cache
def is_equal(source: Picture) -> bool:
    """Return whether swscale gives the same RGB in planes and packed; the first call takes some milliseconds.

    Args:
        source: what the decoded frames are.
    """
    from harness.video.planes import same_in_planes

    return same_in_planes(source.pix_fmt, Scaler(source, PACKED).convert, Scaler(source, PLANAR).convert)
