"""Intervals of shares: Fieller's, by its definition and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.intervals import Replicates, student
from harness.statistics.ratios import Difference, difference, fieller, ratio_interval

RNG = np.random.default_rng(5)


def found(value: float, draws: np.ndarray, source: str = "same", groups: int = 100) -> Replicates:
    return Replicates({"AP": value}, {"AP": draws}, groups, frozenset(), source)


@pytest.mark.parametrize("correlation", [-0.7, 0.0, 0.8])
def test_the_ends_are_where_the_difference_is_just_significant(correlation: float) -> None:
    top, bottom = 0.3**2, 0.2**2
    covariance = np.array([[top, correlation * 0.3 * 0.2], [correlation * 0.3 * 0.2, bottom]])
    for end in fieller(0.9, 1.5, covariance, 1.96):
        error = np.sqrt(top - 2 * end * covariance[0, 1] + end**2 * bottom)
        assert abs(0.9 - end * 1.5) == pytest.approx(1.96 * error)


def test_it_holds_in_95_of_100_cases_where_the_spread_of_the_ratio_does_not() -> None:
    errors = np.linalg.cholesky([[0.04, 0.02], [0.02, 0.0625]])
    held = 0
    for _ in range(2000):
        numerator, denominator = np.array([0.5, 1.0]) + errors @ RNG.normal(size=2)
        low, high = -np.inf, np.inf
        if denominator > 1.96 * 0.25:
            low, high = fieller(numerator, denominator, errors @ errors.T, 1.96)
        held += low <= 0.5 <= high
    assert 0.935 < held / 2000 < 0.975


def test_a_share_of_a_loss_that_is_not_significant_is_no_number() -> None:
    loss = Difference(0.01, RNG.normal(0.01, 0.02, 500), 100)
    gain = Difference(0.02, RNG.normal(0.02, 0.01, 500), 100)
    share = ratio_interval(gain, loss, "the drop")
    assert (share.value, share.low, share.high) == (None, None, None)
    assert "the drop is 0.01" in str(share.reason)
    assert "not significantly above 0" in str(share.reason)


def test_a_share_has_its_value_and_an_interval_around_it() -> None:
    loss = Difference(0.4, RNG.normal(0.4, 0.01, 500), 100)
    share = ratio_interval(Difference(0.1, 0.25 * loss.resampled, 100), loss, "the drop")
    assert share.value == pytest.approx(0.25)
    # A gain that is always the same share of the loss is known exactly.
    assert share.low == pytest.approx(0.25, abs=1e-6)
    assert share.high == pytest.approx(0.25, abs=1e-6)
    wide = ratio_interval(Difference(0.1, RNG.normal(0.1, 0.01, 500), 100), loss, "the drop")
    assert wide.low is not None
    assert wide.high is not None
    # One third of the groups left out: the standard error is that of the draws times sqrt(67 / 33).
    error = np.sqrt(0.01**2 + (0.25 * 0.01) ** 2) / 0.4 * np.sqrt(67 / 33)
    assert wide.high - wide.low == pytest.approx(2 * student(99) * error, rel=0.15)


def test_a_difference_is_positive_when_better_and_needs_the_same_samples() -> None:
    one, other = found(0.5, np.array([0.4, 0.6])), found(0.3, np.array([0.2, 0.5]))
    up, down = difference(one, other, "AP", True), difference(one, other, "AP", False)
    assert up is not None
    assert down is not None
    assert (up.value, down.value) == (pytest.approx(0.2), pytest.approx(-0.2))
    np.testing.assert_allclose(up.resampled, [0.2, 0.1])
    with pytest.raises(ValueError, match="same samples"):
        difference(one, found(0.3, np.array([0.2, 0.5]), source="another"), "AP", True)
