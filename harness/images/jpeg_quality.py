"""The quality that a JPEG was saved with, estimated from its quantisation tables.

The tables of the Independent JPEG Group's library, which most software uses, are those of ITU-T T.81 (Annex K, tables
K.1 and K.2) scaled by the quality: by 5000 / q percent below quality 50, by 200 - 2 q percent from there on
(`jpeg_quality_scaling` in jcparam.c).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

__all__ = ["LUMINANCE", "estimate_quality", "scaled_table"]

LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Table K.1, row by row."""

CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip
"""Table K.2, row by row."""


@cache
def scaled_table(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    """The table that the IJG's library uses at a quality, 1-100, limited to 8 bits as in baseline files.

    >>> scaled_table(LUMINANCE, 50) == LUMINANCE
    True
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((value * percent + 50) // 100, 1), 255) for value in base)


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """The IJG quality, 1-100, whose tables are the nearest to a file's.

    For tables of the IJG it is the quality itself. For others (cameras, Photoshop) it is the quality with the
    smallest mean ratio between the steps: a number to warn by, not a fact about the file.

    Args:
        tables: the quantisation tables by their number, 64 steps each, row by row: the luminance's first (as
            Pillow's `Image.quantization` gives them).

    Returns:
        The quality, or None where there is no table.
    """
    return _nearest(tuple(tuple(tables[number]) for number in sorted(tables)[:2]))


@lru_cache(maxsize=4096)
def _nearest(found: tuple[tuple[int, ...], ...]) -> int | None:
    if not found or any(len(table) != 64 for table in found):
        return None
    distances = {quality: _distance(found, quality) for quality in range(1, 101)}
    return min(distances, key=lambda quality: (distances[quality], -quality))


def _distance(found: tuple[tuple[int, ...], ...], quality: int) -> float:
    total = 0.0
    for table, base in zip(found, (LUMINANCE, CHROMINANCE), strict=False):
        wanted = scaled_table(base, quality)
        if table != wanted:
            total += sum(abs(math.log(max(a, 1) / b)) for a, b in zip(table, wanted, strict=True))
    return total
