"""Bjontegaard differences: the library's published example, curves of a known difference, and what gives no number."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest

from harness.decide.bjontegaard import RateCurve, bd_quality, bd_rate, overlap, pareto_front


def curve(rates: list[float], qualities: list[float]) -> RateCurve:
    return RateCurve(np.array(rates), np.array(qualities))


# The example of the library's own page (https://pypi.org/project/bjontegaard): libx265 with two presets.
ANCHOR = curve([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851])
TEST = curve([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987])


@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_it_is_the_librarys_number_on_its_published_example(method: str) -> None:
    points = (ANCHOR.rates, ANCHOR.qualities, TEST.rates, TEST.qualities)
    ordered = [one.only(pareto_front(one)) for one in (ANCHOR, TEST)]
    rate, quality = bd_rate(*ordered, method), bd_quality(*ordered, method)
    assert rate.value == pytest.approx(bjontegaard.bd_rate(*points, method=method), abs=1e-9)
    assert quality.value == pytest.approx(bjontegaard.bd_psnr(*points, method=method), abs=1e-9)
    assert rate.value is not None
    assert -5 < rate.value < 0
    assert rate.overlap == pytest.approx((40.037 - 34.987) / (40.121 - 34.851))


def test_a_codec_that_needs_a_fifth_less_everywhere_has_minus_twenty_percent() -> None:
    first = curve([0.1, 0.2, 0.5, 1.0, 3.0], [0.2, 0.4, 0.55, 0.6, 0.65])
    second = RateCurve(0.8 * first.rates, first.qualities)
    assert bd_rate(first, second).value == pytest.approx(-20.0, abs=1e-9)
    assert bd_rate(second, first).value == pytest.approx(25.0, abs=1e-9)


def test_a_model_that_is_better_by_a_constant_has_that_constant() -> None:
    first = curve([0.1, 0.2, 0.5, 1.0], [0.2, 0.4, 0.55, 0.6])
    second = RateCurve(first.rates, first.qualities + 0.03)
    found = bd_quality(first, second)
    assert found.value == pytest.approx(0.03)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(1.0))


def test_points_that_a_cheaper_one_beats_are_left_out() -> None:
    bent = curve([4.0, 2.0, 1.0, 0.5, 0.25, 0.2], [0.70, 0.72, 0.72, 0.5, 0.5, np.nan])
    assert pareto_front(bent) == [4, 2]  # .5 at the cheaper of two, .72 at the cheaper of two; nothing undefined


def test_too_few_points_and_no_overlap_give_reasons_and_no_number() -> None:
    four = curve([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.3, 0.4])
    three = curve([1.0, 2.0, 3.0], [0.1, 0.2, 0.3])
    far = RateCurve(four.rates, four.qualities + 1)
    near = RateCurve(four.rates, four.qualities + 0.2)
    assert bd_rate(four, three).value is None
    assert bd_rate(four, three).reason == "4 and 3 points that rise with the rate: at least 4 each are needed"
    assert "share nothing of their range" in str(bd_rate(four, far).reason)
    assert "share 20% of their range" in str(bd_rate(four, near).reason)
    assert bd_rate(four, near).value is None


def test_the_overlap_is_that_of_the_ranges() -> None:
    assert overlap(np.array([0.0, 4.0]), np.array([1.0, 5.0])) == (1.0, 4.0, 0.6)
    assert overlap(np.array([2.0, 2.0]), np.array([2.0, 2.0]))[2] == 0.0


def test_an_interpolation_that_leaves_the_points_gives_no_number() -> None:
    """Values of real runs: a steep stretch that ends in a plateau, on which Akima's curve falls by decades."""
    jpeg = curve([0.3289, 0.4447, 0.5511, 1.0884], [0.30625, 0.74375, 0.86875, 0.96875])
    hevc = curve([0.0146, 0.0347, 0.1136, 0.1946], [0.4625, 0.9375, 0.95, 0.9625])
    found = bd_rate(jpeg, hevc)
    assert found.value is None
    assert found.reason == "Akima's interpolation leaves the points by far; PCHIP's (`--method pchip`) does not"
    monotone = bd_rate(jpeg, hevc, "pchip").value
    assert monotone is not None
    # the ratio of rates at equal quality is nowhere outside that of the steepest and the flattest stretch
    assert 100 * (0.0146 / 0.5511 - 1) < monotone < 100 * (0.1946 / 0.4447 - 1)
