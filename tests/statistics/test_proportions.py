"""Intervals of shares: against SciPy, against likelihoods that are maximised by brute force, and by enumeration."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, multinomial

from harness.statistics.proportions import (
    Hits,
    Pairs,
    design_effect,
    drop_interval,
    paired,
    score,
    share_interval,
    tango,
    upper_share_lost,
)


def hits(right: np.ndarray, group: int = 1) -> Hits:
    places = np.arange(len(right))
    return Hits(places, np.asarray(right, bool), places // group)


@pytest.mark.parametrize(("right", "count"), [(0, 1), (7, 7), (66, 66), (64, 66), (33, 66), (990, 1000)])
def test_of_frames_without_groups_it_is_clopper_and_pearsons(right: int, count: int) -> None:
    found = share_interval(hits(np.arange(count) < right))
    expected = binomtest(right, count).proportion_ci(0.95, method="exact")
    assert found == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 0.998])
@pytest.mark.parametrize("count", [7, 66, 160])
def test_a_share_is_held_in_95_percent_of_all_samples(share: float, count: int) -> None:
    rights = np.arange(count + 1)
    ends = np.array([share_interval(hits(np.arange(count) < right)) for right in rights])
    held = (ends[:, 0] <= share) & (share <= ends[:, 1])
    assert binom.pmf(rights, count, share)[held].sum() >= 0.95


def test_alike_frames_count_as_one() -> None:
    wrong = np.repeat(np.arange(40) < 4, 5)
    together, apart = hits(~wrong, group=5), hits(~wrong)
    assert design_effect(together.right - 0.9, together.groups, (0.5, 0.75)) == pytest.approx(5, rel=0.05)
    ends, finer = share_interval(together), share_interval(apart)
    one_each = binomtest(36, 40).proportion_ci(0.95, method="exact")
    assert ends == pytest.approx((one_each.low, one_each.high), abs=0.02)
    assert ends[1] - ends[0] > 1.8 * (finer[1] - finer[0])
    no_miss = share_interval(hits(np.ones(200), group=5))
    assert no_miss[0] == pytest.approx(binomtest(50, 50).proportion_ci(0.95, method="exact").low, abs=0.02)


def test_independent_frames_in_groups_count_almost_whole() -> None:
    right = np.random.default_rng(0).random(2000) < 0.7
    assert 1 <= design_effect(right - right.mean(), np.arange(2000) // 5, (0.5, 0.75)) < 1.15


def likelihood_score(lost: int, gained: int, total: int, drop: float) -> float:
    """Tango's statistic, with the probabilities found by a search."""

    def minus_log(gain: float) -> float:
        cells = (gain + drop, gain, 1 - drop - 2 * gain)
        counts = (lost, gained, total - lost - gained)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, cells, strict=True) if n)

    ends = (max(0.0, -drop), (1 - drop) / 2)
    gain = minimize_scalar(minus_log, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    return (lost - gained - total * drop) / math.sqrt(total * (2 * gain + drop - drop * drop))


def test_the_statistic_of_a_drop_is_that_of_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        total = int(rng.integers(8, 200))
        lost, gained = (int(n) for n in rng.integers(0, 5, 2))
        drop = float(rng.uniform(-0.6, 0.6))
        found = tango(lost, gained, total, drop)
        assert found == pytest.approx(likelihood_score(lost, gained, total, drop), rel=1e-3, abs=1e-6)
        scores = (1 - drop, -1 - drop, -drop)
        assert score(scores, (lost, gained, total - lost - gained)) == pytest.approx(found, rel=1e-6, abs=1e-9)
    assert tango(12, 5, 100, 0.0) == pytest.approx((12 - 5) / math.sqrt(12 + 5))  # McNemar's


def outcomes(total: int, most: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(min(total, most) + 1) for c in range(min(total - b, most) + 1)]


@pytest.mark.parametrize("total", [66, 200])
@pytest.mark.parametrize(
    ("drop", "differing"), [(0.0, 0.02), (0.005, 0.005), (0.005, 0.1), (0.02, 0.02), (0.02, 0.1), (0.05, 0.05)]
)
def test_drops_hold_and_bounds_fail_as_often_as_they_should(total: int, drop: float, differing: float) -> None:
    """All that can happen, with its probability: no simulation."""
    held = above = 0.0
    cells = [(differing + drop) / 2, (differing - drop) / 2, 1 - differing]
    for lost, gained in outcomes(total, 32):
        probability = multinomial.pmf([lost, gained, total - lost - gained], total, cells)
        if probability > 1e-9:
            pairs = Pairs(total - lost - gained, lost, gained, 0.0, 1.0)
            low, high = drop_interval(pairs)
            held += probability * (low <= drop + 1e-9 and drop - 1e-9 <= high)
            above += probability * (drop_interval(pairs, 0.9, bound=True)[1] < drop - 1e-9)
    assert held >= 0.943
    assert above <= 0.05


def test_a_bound_of_a_share_that_is_lost_fails_as_seldom_as_it_should() -> None:
    """5% of the baseline's .9 are lost, and nothing is gained."""
    failed, places = 0.0, np.arange(100)
    for right in range(75, 100):
        for lost in range(12):
            probability = binom.pmf(right, 100, 0.9) * binom.pmf(lost, right, 0.05)
            if probability > 1e-4:
                bound = upper_share_lost(hits((lost <= places) & (places < right)), hits(places < right), 0.9)
                failed += probability * (bound < 0.05)
    assert 0.005 < failed <= 0.05


def test_pairs_are_counted() -> None:
    base, right = np.array([1, 1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 1, 0, 1], bool)
    found = paired(hits(right), hits(base))
    assert (found.both, found.lost, found.gained, found.neither, found.frames) == (3, 1, 1, 1, 1)
    low, high = drop_interval(found)
    assert low == pytest.approx(-high)
    turned = drop_interval(paired(hits(base), hits(right)))
    assert turned == pytest.approx((low, high))
    reach = NormalDist().inv_cdf(0.975)
    one_sided = drop_interval(Pairs(59, 1, 0, 6, 1.0), 0.9, bound=True)
    assert tango(1, 0, 66, one_sided[0], 0.25) == pytest.approx(NormalDist().inv_cdf(0.95), abs=1e-6)
    assert tango(1, 0, 66, drop_interval(Pairs(59, 1, 0, 6, 1.0))[0], 0.125) == pytest.approx(reach, abs=1e-6)
