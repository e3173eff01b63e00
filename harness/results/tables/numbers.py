"""Numbers as tables write them: with as many decimals as their size calls for."""

from __future__ import annotations

from harness.statistics.estimate import Estimate

__all__ = ["digits_of", "fixed_point", "interval_text"]


def interval_text(estimate: Estimate, margin: float | None = None) -> str:
    """ "0.482 [0.451, 0.513]", with as many decimals as its size calls for; behind it the margin over seeds.

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


def fixed_point(value: float, digits: int) -> str:
    """The number with so many decimals; never "-0.000"."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def digits_of(value: float) -> int:
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
