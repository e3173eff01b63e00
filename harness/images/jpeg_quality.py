"""Estimates the quality that a JPEG was saved with from its quantisation tables.

Most software uses the library of the Independent JPEG Group (IJG). The library scales the tables of ITU-T T.81 (Annex
K, tables K.1 and K.2) by the quality q: by 5000 / q percent below quality 50, and by 200 - 2 q percent from 50 on
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
_BASES = (LUMINANCE, CHROMINANCE)


@cache
def scaled_table(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    """Return the quantisation table of the IJG's library at a quality (1-100), limited to 8 bits as in baseline JPEG.

    >>> scaled_table(LUMINANCE, 50) == LUMINANCE
    True
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((value * percent + 50) // 100, 1), 255) for value in base)


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """Return the IJG quality (1-100) whose quantisation tables are most similar to the tables of a file.

    For tables of the IJG's library the result is exact. For other tables (cameras, Photoshop) it is the quality with
    the smallest mean ratio between the quantisation steps. Such a value is good enough for warnings only.

    Args:
        tables: table number -> 64 quantisation steps, row by row, as in Pillow's `Image.quantization`. The table with
            the lowest number is for luminance.

    Returns:
        The quality, or None if there is no table.
    """
    return _nearest(tuple(tuple(tables[number]) for number in sorted(tables)[:2]))


@lru_cache(maxsize=4096)
def _nearest(tables: tuple[tuple[int, ...], ...]) -> int | None:
    if not tables or any(len(table) != 64 for table in tables):
        return None
    for quality in range(100, 0, -1):
        if all(table == scaled_table(base, quality) for table, base in zip(tables, _BASES, strict=False)):
            return quality
    distances = {quality: _distance(tables, quality) for quality in range(1, 101)}
    return min(distances, key=lambda quality: (distances[quality], -quality))


def _distance(tables: tuple[tuple[int, ...], ...], quality: int) -> float:
    total = 0.0
    for table, base in zip(tables, _BASES, strict=False):
        reference = scaled_table(base, quality)
        if table != reference:
            total += sum(abs(math.log(max(a, 1) / b)) for a, b in zip(table, reference, strict=True))
    return total
