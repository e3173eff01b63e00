"""Exact quantiles of Student's and of the beta distribution, from the regularised incomplete beta function.

The function is computed from its continued fraction (DLMF 8.17.22) with Lentz's method, and inverted by Newton's steps
inside a bracket. A test compares both with SciPy.
"""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["CONFIDENCE", "beta_quantile", "incomplete_beta", "student", "student_tail"]

CONFIDENCE = 0.95
"""The confidence level of every interval."""

_TERMS = 100_000
_STEPS = 200
_TINY = 1e-300
_EXACT = 4e-16


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b): the beta distribution's probability of at most x.

    Args:
        x: 0 to 1.
        a: the first shape parameter, above 0.
        b: the second shape parameter, above 0.

    >>> round(incomplete_beta(0.5, 2.0, 3.0), 6)
    0.6875
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    return math.exp(_log_density(x, a, b)) * x * (1 - x) / a * _fraction(x, a, b)


def _log_density(x: float, a: float, b: float) -> float:
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return (a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction. It converges fast for x below the mean, after about sqrt(a + b) terms."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or _TINY)
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / ((1 + term * d) or _TINY), (1 + term / c) or _TINY
            value *= c * d
        if abs(c * d - 1) < _EXACT:
            break
    return value


@lru_cache(maxsize=4096)
def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the x at which the beta distribution with shape parameters a and b reaches a probability.

    Args:
        probability: 0 to 1.
        a: the first shape parameter, above 0.
        b: the second shape parameter, above 0.

    >>> round(beta_quantile(0.95, 1, 40), 4)  # none of 40 had a property: at most 7.2% of all have it
    0.0722
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(_STEPS):
        excess = incomplete_beta(x, a, b) - probability
        low, high = (low, x) if excess > 0 else (x, high)
        slope = math.exp(_log_density(x, a, b)) if 0 < x < 1 else 0.0
        step = x - excess / slope if slope else math.nan
        following = step if low < step < high else (low + high) / 2
        if abs(following - x) <= _EXACT * following:
            return following
        x = following
    return x


@lru_cache(maxsize=1024)
def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return Student's two-sided quantile.

    Args:
        freedom: the degrees of freedom.
        confidence: the confidence level of the interval.

    >>> [round(student(n), 3) for n in (1, 2, 5, 100)]
    [12.706, 4.303, 2.571, 1.984]
    """
    share = beta_quantile(confidence, 0.5, freedom / 2)
    return math.sqrt(freedom * share / (1 - share))


def student_tail(t: float, freedom: int) -> float:
    """Return the probability that Student's t is further from 0 than `t`, on either side: the two-sided p-value.

    >>> round(student_tail(2.571, 5), 3)
    0.05
    """
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)
