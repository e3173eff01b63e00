"""Quantiles against SciPy's."""

from __future__ import annotations

import pytest
from scipy.special import betainc
from scipy.stats import beta
from scipy.stats import t as student_t

from harness.statistics.quantiles import beta_quantile, incomplete_beta, student, student_tail

SHAPES = (0.25, 0.5, 1.0, 3.7, 50.0, 900.0, 20_000.0)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 12, 65, 199, 999, 10**5])
def test_students_quantiles_and_tails_are_scipys(freedom: int) -> None:
    for confidence in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999):
        assert student(freedom, confidence) == pytest.approx(student_t.ppf((1 + confidence) / 2, freedom), rel=1e-8)
    for t in (0.01, 0.7, 2.0, 6.0):
        assert student_tail(t, freedom) == pytest.approx(2 * student_t.sf(t, freedom), rel=1e-8)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_the_beta_distribution_is_scipys(a: float, b: float) -> None:
    for probability in (0.0005, 0.025, 0.5, 0.975, 0.999):
        expected = beta.ppf(probability, a, b)
        assert beta_quantile(probability, a, b) == pytest.approx(expected, rel=1e-8, abs=1e-12)
        if 0 < expected < 1:
            assert incomplete_beta(expected, a, b) == pytest.approx(betainc(a, b, expected), rel=1e-8)
    assert [incomplete_beta(x, a, b) for x in (0.0, 1.0)] == [0, 1]
