"""Recommendations: bounds against SciPy, error rates by simulation, walks, costs, and the command on real results."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp
from scipy.stats import t as student_t

from command import Session
from harness.decide.cost import Camera, cost_of
from harness.decide.judges import by_resampling, by_stored_intervals
from harness.decide.limit import Limit
from harness.decide.limit_test import Bound, bound_of, one_sided_quantile
from harness.decide.walk import recommend
from harness.errors import UsageError
from harness.results.cells import MeasuredMetric, ResultCell
from harness.results.ladders import Case, Ladder
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import Replicates, replicates
from harness.task import Metric, Task
from report_kit import made, with_a_failed_sample


class Mean(Task):
    """The mean of one number a sample."""

    name = "mean"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("value", primary=True, unit="points"),)

    def score(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        return {"value": np.array(prediction, np.float64)}

    def reduce(self, statistics: Sequence[Mapping[str, Any]], weights: Any = None) -> dict[str, Any]:
        values = np.array([one["value"] for one in statistics], np.float64)
        drawn = np.ones((1, len(values))) if weights is None else weights
        return {"value": drawn @ values / drawn.sum(axis=1)}


def drawn(values: np.ndarray, resamples: int = 1000) -> Replicates:
    task = Mean()
    return replicates(task, [task.score(v, None) for v in values], [str(n) for n in range(len(values))], resamples)


def pair(seed: int, drop: float, count: int = 200, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Uncompressed and compressed scores of samples, whose true drop is known; strongly paired."""
    rng = np.random.default_rng(seed)
    base = rng.normal(1.0, 0.5, count)
    return base, base - drop + rng.normal(0, noise, count)


def judged(base: np.ndarray, level: np.ndarray, limit: str, resamples: int = 1000, up: bool = True) -> Bound:
    return bound_of(drawn(level, resamples), drawn(base, resamples), "value", up, Limit.parse(limit), 0.95)


def test_quantiles_are_scipys() -> None:
    for freedom in (1, 2, 12, 199):
        assert one_sided_quantile(freedom, 0.95) == pytest.approx(student_t.ppf(0.95, freedom), rel=2e-3)


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


def a_cell(level: float | None, bpp: float, value: float = 0.5, **facts: Any) -> ResultCell:
    told = {"level": level, "level_name": "quality", "bpp": bpp, "source_bpp": None, "kbps": None, "samples": 10}
    told |= {"psnr": 30.0, "bytes": None, "experiment": f"e{level}", "codec": "jpeg" if level else "none"}
    told |= {"training": "pretrained", "codec_options": "{}", "frame_pixels": None}
    return ResultCell({**told, **facts}, {"value": MeasuredMetric(Estimate(value), True, True)})


def test_costs() -> None:
    mild, strong = a_cell(95, 4.0), a_cell(5, 0.5, source_bpp=2.0, frame_pixels=64 * 48)
    plain = cost_of(strong, mild, Camera())
    assert (plain.bpp, plain.ratio, plain.of_source, plain.of_mildest) == (0.5, 48.0, 0.25, 0.125)
    assert (plain.kbps, plain.gb_per_day) == (None, None)
    sent = cost_of(strong, mild, Camera.parse(25, "1920x1080"))
    assert sent.kbps == pytest.approx(0.5 * 1920 * 1080 * 25 / 1000)
    assert sent.gb_per_day == pytest.approx(sent.kbps / 8 * 86400 / 1e6)
    assert sent.assumed is not None
    assert sent.assumed.endswith("of 2,073,600 pixels, at the bits per pixel that were measured on frames of 3,072")
    assert cost_of(strong, mild, Camera.parse(10, None)).kbps == pytest.approx(0.5 * 64 * 48 * 10 / 1000)
    video = a_cell(30, 0.1, kbps=80.0)
    for half, lacking in (((25, None), "--resolution"), ((None, "1920x1080"), "--fps")):
        part = cost_of(video, mild, Camera.parse(*half))
        assert (part.kbps, part.gb_per_day, part.assumed) == (None, None, f"not known without {lacking}")
    assert cost_of(video, mild, Camera.parse(25, "1920x1080")).kbps == pytest.approx(0.1 * 1920 * 1080 * 25 / 1000)
    measured = cost_of(video, mild, Camera())
    assert measured.gb_per_day == pytest.approx(80_000 / 8 * 86400 / 1e9)
    for text in ("1920", "1920x", "0x5", "axb", "1920x1080x3"):
        with pytest.raises(UsageError, match="--resolution"):
            Camera.parse(25, text)


class Known:
    """Resamples of experiments that are known by their level."""

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self.values, self.asked = values, [""]

    def together(self, measures: Sequence[Any]) -> list[Any]:
        from harness.results.resampled import ResampledMetric

        self.asked.append(measures[0][0][0].facts["experiment"])
        return [
            ResampledMetric(metric, drawn(self.values[cells[0].facts["experiment"]]), 200) for cells, metric in measures
        ]


def test_the_walk_ends_at_the_first_level_that_does_not_hold_even_if_a_later_one_would() -> None:
    base, _ = pair(5, 0)
    drops = {95.0: 0.0, 50.0: 0.02, 15.0: 0.5, 10.0: 0.01}
    values = {f"e{level}": base - drop for level, drop in drops.items()} | {"eNone": base}
    ladder = Ladder("jpeg", "pretrained", tuple(a_cell(level, 4.0 - n) for n, level in enumerate(drops)))
    known: Any = Known(values)
    (found,) = recommend(Case(a_cell(None, 24.0), (ladder,)), by_resampling(known), Limit.parse("0.05"))
    assert found.chosen is not None
    assert found.next is not None
    assert (found.chosen.level, found.next.level) == (50.0, 15.0)
    assert found.next.bound.verdict == "fails"
    assert "e10.0" not in known.asked
    (none,) = recommend(Case(a_cell(None, 24.0), (ladder,)), by_resampling(known), Limit.parse("0"), metric="value")
    assert none.chosen is not None
    assert none.chosen.level == 95.0
    (lacking,) = recommend(Case(None, (ladder,)), by_resampling(known), Limit.parse("0"))
    assert lacking.chosen is None
    assert lacking.why == "there is no experiment on uncompressed frames to compare with"


def test_a_drop_of_zero_without_spread_is_said_to_rest_on_so_many_groups() -> None:
    base, _ = pair(3, 0.0, count=32)
    ladder = Ladder("jpeg", "pretrained", (a_cell(95.0, 2.0, experiment="same"),))
    known: Any = Known({"clean": base, "same": base})
    clean = a_cell(None, 24.0, experiment="clean")
    (found,) = recommend(Case(clean, (ladder,)), by_resampling(known), Limit.parse("2%"))
    (note,) = [note for note in found.notes if "without any spread" in note]
    share = binomtest(0, 32).proportion_ci(0.90).high  # two-sided 90% is one-sided 95%
    assert f"up to {share:.1%} of all" in note


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


def test_a_level_that_lost_nothing_on_too_few_samples_does_not_end_the_walk() -> None:
    unmoved = Bound("undecided", Estimate(0.0, 0.0, 0.0), 0.07, 0.0, 60)
    holds = Bound("holds", Estimate(0.01, 0.0, 0.02), 0.018, 0.01)
    fails = Bound("fails", Estimate(0.1, 0.08, 0.12), 0.11, 0.1)
    undecided = Bound("undecided", Estimate(0.03, 0.0, 0.06), 0.06, 0.03, 90)
    levels = (95.0, 75.0, 50.0, 15.0)

    def walked(*bounds: Bound) -> tuple[float | None, float | None]:
        known = dict(zip(levels, bounds, strict=False))
        cells = tuple(a_cell(level, level / 20) for level in known)
        case = Case(a_cell(None, 24.0), (Ladder("jpeg", "pretrained", cells),))
        (found,) = recommend(case, lambda cell, *_: (known[cell.facts["level"]], 40, 40), Limit.parse("0.02"))
        return found.chosen and found.chosen.level, found.next and found.next.level

    assert walked(unmoved, holds, fails) == (75.0, 50.0)
    assert walked(unmoved, unmoved, holds, unmoved) == (50.0, 15.0)
    assert walked(unmoved, fails, holds) == (None, 95.0)
    assert walked(holds, unmoved, fails, holds) == (95.0, 75.0)
    assert walked(holds, undecided, holds) == (95.0, 75.0)
    assert walked(unmoved, unmoved) == (None, 95.0)


def test_a_drop_of_zero_is_judged_alike_by_stored_intervals() -> None:
    same = MeasuredMetric(Estimate(0.875, 0.8, 0.95), True, True, Estimate(0.0, 0.0, 0.0))
    cell = ResultCell({**a_cell(95.0, 2.0).facts, "samples": 40, "groups": 40}, {"value": same})
    clean = ResultCell(a_cell(None, 24.0).facts, {"value": same})
    found = [by_stored_intervals(cell, clean, "value", Limit.parse(text), 0.95)[0] for text in ("0.08", "0.005", "9%")]
    assert [one.verdict for one in found] == ["holds", "undecided", "holds"]
    assert found[0].value == pytest.approx(binomtest(0, 40).proportion_ci(0.90).high)
    lossless = ResultCell({**cell.facts, "psnr": None}, cell.metrics)
    lower = ResultCell(cell.facts, {"value": replace(same, higher_is_better=False)})
    for one in (lossless, lower):
        for text in ("0", "2%"):
            bound = by_stored_intervals(one, clean, "value", Limit.parse(text), 0.95)[0]
            assert (bound.verdict, bound.value) == ("holds", 0)
        ladder = Ladder("jpeg", "pretrained", (one,))
        (told,) = recommend(Case(clean, (ladder,)), by_stored_intervals, Limit.parse("2%"))
        assert not [note for note in told.notes if "binomial" in note]
    little = ResultCell(clean.facts, {"value": replace(same, metric=Estimate(0.875, -0.2, 1.9))})
    reason = by_stored_intervals(cell, little, "value", Limit.parse("2%"), 0.95)[0].reason
    assert reason == "the uncompressed value cannot be told from 0: no share of it"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    return made(tmp_path_factory.getbasetemp(), cache)[0]


def test_the_command_on_real_results(session: Session) -> None:
    text = session.run("recommend", "--task", "detection", "--max-drop", "60%").stdout
    assert "18 samples (below 66): too few to be sure" in text
    found = json.loads(session.run("recommend", "--task", "detection", "--max-drop", "60%", "--json").stdout)
    (case,) = found
    drops = {
        row[:2]: row[2:]
        for row in session.select(
            'SELECT codec, level, "drop", drop_ci_low, drop_ci_high, bpp FROM curves'
            " WHERE task = 'detection' AND is_primary AND training = 'pretrained'"
        )
    }
    shown = 0
    for one in case["recommendations"]:
        for step in (one["chosen"], one["next"]):
            if step and one["training"] == "pretrained":
                drop, low, high, bpp = drops[one["codec"], step["level"]]
                assert step["bound"]["drop"] == pytest.approx(drop)
                assert step["cost"]["bpp"] == pytest.approx(bpp)
                # Computed from 1000 resamples here, from 100 in the run.
                assert step["bound"]["high"] - step["bound"]["low"] == pytest.approx(high - low, rel=0.35, abs=0.02)
                shown += 1
    assert shown >= 2
    assert {one["training"] for one in case["recommendations"]} >= {"pretrained", "matched"}


def test_stored_intervals_judge_as_resamples_do_but_for_a_little_care(session: Session) -> None:
    from harness.discovery.plugins import installed
    from harness.discovery.stores import open_store
    from harness.results.cells import read_cells
    from harness.results.ladders import cases_of
    from harness.results.resampled import Resampler
    from harness.store import Filters

    store = open_store(str(session.database), installed(), write=False)
    (case,) = cases_of(read_cells(store, Filters({"task": ["detection"]})))
    identities = store.identities([cell.facts["experiment"] for cell in case.cells])
    # The resamples of the run, so that only the way of judging differs.
    judge = by_resampling(Resampler(dict.fromkeys(identities, store), identities, installed(), 100, 0))
    assert case.baseline is not None
    for ladder in case.ladders:
        for cell in ladder.cells:
            for text in ("0.05", "10%", "60%"):
                asked = (cell, case.baseline, "AP", Limit.parse(text), 0.95)
                exact, stored = judge(*asked)[0], by_stored_intervals(*asked)[0]
                assert exact.value is not None
                assert stored.value is not None
                assert stored.drop.value == pytest.approx(exact.drop.value)
                assert stored.drop.high == pytest.approx(exact.drop.high)
                if "%" not in text:
                    assert stored.value == pytest.approx(exact.value)
                    assert stored.verdict == exact.verdict
                else:
                    assert stored.verdict in (exact.verdict, "undecided")
    store.close()


def test_a_limit_that_lets_everything_be_lost_recommends_nothing(session: Session) -> None:
    for text, hint in (("5", "; a share of it is written with %"), ("100%", ""), ("150%", "")):
        told = session.run("recommend", "--task", "detection", "--max-drop", text, "--json", status=1)
        for one in json.loads(told.stdout)[0]["recommendations"]:
            assert one["chosen"] is None
            assert re.search(rf"the limit lets all of the uncompressed AP of 0\.\d+ be lost{hint}$", one["why_not"])
    assert "not known" in session.run("recommend", "--task", "detection", "--max-drop", "5", status=1).stdout
    # Where lower is better there is no such end.
    lower = ("recommend", "--task", "detection", "--metric", "missed", "--max-drop", "50", "--json")
    assert any(one["chosen"] for one in json.loads(session.run(*lower).stdout)[0]["recommendations"])


def test_csv_is_one_table_with_the_same_columns_whatever_was_found(session: Session) -> None:
    tables = []
    for limit, status in (("60%", 0), ("0", 1)):
        asked = ("recommend", "--max-drop", limit)
        data = json.loads(session.run(*asked, "--json", status=status).stdout)
        rows = list(csv.DictReader(io.StringIO(session.run(*asked, "--format", "csv", status=status).stdout)))
        tables.append(tuple(rows[0]))
        every = [(case, one) for case in data for one in case["recommendations"]]
        assert len(rows) == len(every)
        assert {row["task"] for row in rows} == {"detection", "segmentation"}
        for row, (case, one) in zip(rows, every, strict=True):
            assert (row["task"], row["codec"], row["training"]) == (case["task"], one["codec"], one["training"])
            assert float(row["max_drop"]) == one["max_drop"]
            for prefix, step in (("", one["chosen"]), ("next_", one["next"])):
                if step is None:
                    assert row[prefix + "verdict"] == row[prefix + "experiment"] == ""
                    continue
                assert row[prefix + "verdict"] == step["bound"]["verdict"]
                assert row[prefix + "experiment"] == step["experiment"]
                for name, value in (("drop", step["bound"]["drop"]), ("bpp", step["cost"]["bpp"])):
                    assert (float(row[prefix + name]) if row[prefix + name] else None) == value
    assert tables[0] == tables[1]
    both = session.run("recommend", "--max-drop", "60%", "--json", "--format", "csv", status=2)
    assert "--json and --format csv: choose one of them" in both.stderr


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
            assert found.reason == "undefined in 6% of the resamples: too few samples have its kind"


def test_failed_predictions_are_told(session: Session, tmp_path: Path) -> None:
    asked = ("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "60%")
    assert "failed" not in session.run(*asked).stdout
    where = "task = 'detection' AND codec = 'jpeg' AND level = 30"
    told = with_a_failed_sample(session, tmp_path, where, "the decoder gave up").run(*asked).stdout
    assert re.search(r"\d predictions at these levels failed, and are left out: `harness results` has them", told)


def test_a_ladder_that_begins_below_the_mildest_level_says_from_where(session: Session) -> None:
    text = session.run("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "0", status=None).stdout
    assert re.search(r"jpeg +matched +none holds \(from quality 30 on\)", text)


def test_exit_statuses(session: Session) -> None:
    session.run("recommend", "--task", "detection", "--codec", "jpeg", "--max-drop", "99%", status=0)
    session.run("recommend", "--task", "segmentation", "--max-drop", "0", "--metric", "global_accuracy", status=1)
    assert "--max-drop" in session.run("recommend", "--task", "detection", "--max-drop", "x", status=2).stderr
    for fps in ("nan", "inf", "0"):
        told = session.run("recommend", "--max-drop", "1%", "--fps", fps, "--resolution", "64x64", status=2).stderr
        assert "'--fps'" in told
    for confidence in ("nan", "50", "100"):
        told = session.run("recommend", "--max-drop", "1%", "--confidence", confidence, status=2).stderr
        assert "'--confidence'" in told
    wrong = session.run("recommend", "--task", "detection", "--max-drop", "1%", "--metric", "AP_smal", status=2).stderr
    assert "Did you mean 'AP_small'?" in wrong
