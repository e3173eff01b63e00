"""Formats numbers for tables. The number of decimals depends on the size of the number, or of its interval."""

from __future__ import annotations

import math

from harness.statistics.estimate import Estimate, fixed_point

__all__ = ["digits_of", "interval_text", "supported_text"]


def interval_text(estimate: Estimate, margin: float | None = None) -> str:
    """Return a value with its interval as text; the number of decimals depends on the size of the value.

    Args:
        estimate: the value with its interval.
        margin: half the width of the interval over seeds, which is appended after "±"; None for no margin.

    >>> interval_text(Estimate(0.4821, 0.451, 0.513))
    '0.482 [0.451, 0.513]'
    >>> interval_text(Estimate(12.345), margin=0.2)
    '12.35 ±0.20'
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None:
        return "undefined"
    digits = digits_of(value)
    text = fixed_point(value, digits)
    text = text if low is None or high is None else f"{text} [{fixed_point(low, digits)}, {fixed_point(high, digits)}]"
    return text if margin is None else f"{text} ±{fixed_point(margin, digits)}"


def digits_of(value: float) -> int:
    """Return how many decimals a value is written with: 3 below 10, 2 below 100, otherwise 1."""
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1


def supported_text(estimate: Estimate) -> str:
    """Return a value with its interval as text, with no more digits than the interval supports.

    Half the width of the interval is written with two significant digits, or fewer where `digits_of` gives fewer.

    >>> supported_text(Estimate(-62.204, -64.12, -60.17)), supported_text(Estimate(0.0521, 0.0471, 0.0569))
    ('-62.2 [-64.1, -60.2]', '0.052 [0.047, 0.057]')
    >>> supported_text(Estimate(12.345, -30.1, 54.9)), supported_text(Estimate(12.345))
    ('12 [-30, 55]', '12.35')
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None or not high > low:
        return interval_text(estimate)
    supported = 1 - math.floor(math.log10((high - low) / 2))
    digits = max(0, min(supported, digits_of(value)))
    return f"{fixed_point(value, digits)} [{fixed_point(low, digits)}, {fixed_point(high, digits)}]"
