"""The walk down a ladder: where it ends, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from harness.decide.judges import by_resampling
from harness.decide.limit import Limit
from harness.decide.recommended import go_to, recommendation_table
from harness.decide.rows import recommendation_rows
from harness.decide.walk import recommend
from harness.decide.within_limit import Bound
from harness.results.ladders import CASE_FACTS, Case, Ladder
from harness.statistics.estimate import Estimate
from kit.resamples import a_cell, drawn, pair


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
    assert none.outcome == "holds"
    (lacking,) = recommend(Case(None, (ladder,)), by_resampling(known), Limit.parse("0"))
    assert lacking.outcome == "not known"
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


def test_a_level_that_lost_nothing_on_too_few_samples_does_not_end_the_walk() -> None:
    unmoved = Bound("undecided", Estimate(0.0, -0.08, 0.08), 0.07, 0.0, 60, unmoved=True)
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


def test_none_holds_only_where_every_level_is_beyond_for_sure() -> None:
    unmoved = Bound("undecided", Estimate(0.0, 0.0, 0.0), 0.07, 0.0, 60)
    holds = Bound("holds", Estimate(0.01, 0.0, 0.02), 0.018, 0.01)
    fails = Bound("fails", Estimate(0.1, 0.08, 0.12), 0.11, 0.1)
    undecided = Bound("undecided", Estimate(0.03, 0.0, 0.06), 0.06, 0.03, 90)
    unknown = Bound("unknown", reason="no interval is computed for this metric")
    levels, limit = (95.0, 75.0, 50.0), Limit.parse("0.02")

    def told(*bounds: Bound) -> tuple[str, str, str]:
        known = dict(zip(levels, bounds, strict=False))
        facts: dict[str, Any] = {**dict.fromkeys(CASE_FACTS, "any"), "failed_samples": 0}
        cells = tuple(a_cell(level, level / 20, **facts) for level in known)
        case = Case(a_cell(None, 24.0, **facts), (Ladder("jpeg", "pretrained", cells),))
        found = recommend(case, lambda cell, *_: (known[cell.facts["level"]], 40, 40), limit)
        table = recommendation_table(case, found)
        rows = recommendation_rows([(case, found)])
        shown = table.rows[0][table.columns.index("go to")]
        assert shown == rows.rows[0][rows.columns.index("go_to")] == go_to(found[0])
        assert ("not every level is beyond" in " ".join(table.notes)) == (shown == "undecided")
        return found[0].outcome, shown, found[0].why

    assert told(fails, fails, fails) == ("none holds", "none holds", "loses 0.1: beyond 0.02, surely")
    assert told(fails) == ("none holds", "none holds", "loses 0.1: beyond 0.02, surely")
    for bounds in ((fails, undecided, fails), (fails, fails, holds), (fails, unknown), (undecided, fails), (unmoved,)):
        assert told(*bounds)[:2] == ("undecided", "undecided")
    assert told(unmoved, fails, fails)[0] == "undecided"
    assert told(unknown, fails)[:2] == ("not known", "not known")
    assert told(holds, fails)[:2] == ("holds", "quality 95")


def test_a_drop_of_zero_is_exact_where_nothing_was_lost_and_a_binomial_share_elsewhere() -> None:
    base, _ = pair(3, 0.0, count=40)
    known: Any = Known({"clean": base, "same": base})
    clean = a_cell(None, 24.0, experiment="clean")
    lossless = Ladder("png", "pretrained", (a_cell(95.0, 2.0, experiment="same", psnr=None),))
    for text in ("0", "2%"):
        (found,) = recommend(Case(clean, (lossless,)), by_resampling(known), Limit.parse(text))
        assert found.chosen is not None
        assert found.chosen.bound.value == 0
        assert not [note for note in found.notes if "binomial" in note]
