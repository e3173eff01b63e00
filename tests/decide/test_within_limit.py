"""Bounds of what a level costs: against SciPy, error rates by simulation, and what cannot be judged."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp
from scipy.stats import t as student_t

from harness.decide.limit import Limit
from harness.decide.within_limit import Bound, bound_of, one_sided_quantile
from harness.errors import UsageError
from harness.statistics.intervals import replicates
from harness.task import Metric
from kit.resamples import Mean, drawn, pair


def judged(base: np.ndarray, level: np.ndarray, limit: str, resamples: int = 1000, up: bool = True) -> Bound:
    return bound_of(drawn(level, resamples), drawn(base, resamples), "value", up, Limit.parse(limit), 0.95)


def test_quantiles_are_scipys() -> None:
    for freedom in (1, 2, 12, 199):
        assert one_sided_quantile(freedom, 0.95) == pytest.approx(student_t.ppf(0.95, freedom), rel=1e-9)


def test_an_absolute_bound_is_that_of_the_paired_t_test() -> None:
    base, level = pair(1, 0.05)
    found = judged(base, level, "0.1", resamples=4000)
    interval = ttest_1samp(base - level, 0.0).confidence_interval(0.90)
    assert found.drop.value == pytest.approx(float((base - level).mean()))
    assert found.value == pytest.approx(interval.high, abs=0.002)
    assert found.share == pytest.approx(found.drop.value / base.mean())


@pytest.mark.parametrize("limit", ["2%", "5%", "8%", "20%"])
def test_a_relative_bound_is_the_test_of_the_linear_combination(limit: str) -> None:
    base, level = pair(2, 0.05)
    found = judged(base, level, limit, resamples=4000)
    share = Limit.parse(limit).value
    combined = (base - level) - share * base
    interval = ttest_1samp(combined, 0.0).confidence_interval(0.90)
    if abs(interval.high) > 0.004:  # the resamples' own noise
        assert (found.verdict == "holds") == (interval.high <= 0)
    if abs(interval.low) > 0.004:
        assert (found.verdict == "fails") == (interval.low > 0)


def test_where_lower_is_better_a_rise_is_a_drop() -> None:
    base, level = pair(3, -0.5)
    assert judged(base, level, "0.1", up=False).verdict == "fails"
    assert judged(level, base, "0.1", up=False).verdict == "holds"


def test_the_bound_of_a_level_at_the_limit_holds_as_seldom_as_it_should() -> None:
    """The true drop is the limit itself: to recommend it is an error, allowed in 5% of the cases."""
    trials, absolute, relative = 400, 0, 0
    for seed in range(trials):
        base, level = pair(seed, 0.05)
        own, first = drawn(level, 200), drawn(base, 200)
        absolute += bound_of(own, first, "value", True, Limit(0.05, False), 0.95).verdict == "holds"
        relative += bound_of(own, first, "value", True, Limit(0.05, True), 0.95).verdict == "holds"
    for errors in (absolute, relative):
        assert 0.02 <= errors / trials <= 0.09  # 5%, give or take three standard errors


def test_the_number_of_samples_that_is_told_decides_in_four_of_five_cases() -> None:
    base, level = pair(11, 0.03, count=60)
    level = level - (base - level).mean() * -1 - 0.03  # the measured drop is .03 exactly
    found = judged(base, level, "0.05")
    assert found.verdict == "undecided"
    assert found.groups_needed is not None
    assert found.groups_needed > 60
    spread = float((base - level).std(ddof=1))
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(400):
        drops = rng.normal(0.03, spread, found.groups_needed)
        decided += ttest_1samp(drops, 0.05, alternative="less").pvalue <= 0.05
    assert 0.7 <= decided / 400 <= 0.9


def test_what_cannot_be_judged_says_why() -> None:
    base, level = pair(4, 0.1)
    one_group = replicates(Mean(), [{"value": np.array(v)} for v in base], ["a"] * len(base), 100)
    assert "one group" in str(bound_of(one_group, one_group, "value", True, Limit(0.1, False), 0.95).reason)
    nothing = np.random.default_rng(0).normal(0, 1, 50)
    assert "cannot be told from 0" in str(judged(nothing, nothing - 0.1, "2%").reason)
    undecidable = judged(base, level - 0.001, f"{(base - level).mean()}")
    assert undecidable.verdict == "undecided"
    assert undecidable.groups_needed is None  # as measured it is beyond the limit: no number would do


def test_an_agreement_of_one_without_spread_is_a_baseline_like_others() -> None:
    rng = np.random.default_rng(0)
    found = judged(np.ones(200), 1 - rng.uniform(0, 0.02, 200), "2%")
    assert found.verdict == "holds"
    assert found.value == pytest.approx(0.0107, abs=0.001)
    assert judged(np.ones(50), np.ones(50), "0").verdict == "holds"


@pytest.mark.parametrize("text", ["", "two", "-1", "nan", "inf", "2%%", "-3%"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--max-drop"):
        Limit.parse(text)


def test_a_level_is_judged_though_a_few_resamples_lack_its_metric() -> None:
    base, level = pair(1, 0.05)
    whole = judged(base, level, "0.2")
    for lost, known in ((30, True), (60, False)):
        some = drawn(level)
        some.resampled["value"][:lost] = np.nan
        found = bound_of(some, drawn(base), "value", True, Limit.parse("0.2"), 0.95)
        if known:
            assert found.verdict == whole.verdict == "holds"
            assert found.value == pytest.approx(whole.value, rel=0.05)
        else:
            assert found.verdict == "unknown"
            assert found.reason == "no interval: undefined in 6% of the resamples, too few samples have its kind"


class Hits(Mean):
    """The share of samples that are right."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("value", primary=True),)


def test_a_share_of_which_no_sample_was_lost_has_the_binomial_bound() -> None:
    right = (np.arange(40) % 8 > 0).astype(np.float64)  # 35 of 40
    hits = replicates(Hits(), [{"value": np.array(v)} for v in right], [str(n) for n in range(40)], 400)
    bound = binomtest(0, 40).proportion_ci(0.90).high  # two-sided 90% is one-sided 95%

    def found(text: str, exact: bool = False) -> Bound:
        return bound_of(hits, hits, "value", True, Limit.parse(text), 0.95, exact)

    assert found("0.08").verdict == "holds"
    assert found("0.08").value == pytest.approx(bound)
    tight = found("0.005")
    assert (tight.verdict, tight.drop.value) == ("undecided", 0)
    needed = tight.groups_needed
    assert needed is not None
    assert binomtest(0, needed).proportion_ci(0.90).high <= 0.005 < binomtest(0, needed - 1).proportion_ci(0.90).high
    assert found("9%").value == pytest.approx(bound / 0.875)
    assert [found(text).verdict for text in ("9%", "8%", "0", "0%")] == ["holds", *("undecided",) * 3]
    assert [found("0", exact=True).verdict, found("0%", exact=True).value] == ["holds", 0]
