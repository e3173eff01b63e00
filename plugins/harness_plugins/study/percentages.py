"""The percentages in the study's text, computed from its tables, and the same percentages from your own results."""

from __future__ import annotations

from typing import Any

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, verdict_of
from harness_plugins.study.published import PublishedTable, published_tables

__all__ = ["percentages"]

_QUOTED = (
    ("segmentation", "global_accuracy", "loss", "A", 5.0, '"global accuracy reduce by 14%"'),
    ("segmentation", "global_accuracy", "loss", "B", 5.0, '"performance loss is reduced to 3.5%"'),
    ("depth", "rmse", "loss", "A", 15.0, '"RMSE has not increased by more than 1.9%"'),
    ("depth", "rmse", "gain", "B", 5.0, '"improving performance by as much as 20% over the pre-trained network"'),
    ("detection", "AP50", "loss", "A", 15.0, '"a 22.5% drop"'),
    ("detection", "AP50", "loss", "A", 5.0, '"drop by as much as 73.4%"'),
    ("detection", "AP50", "loss", "B", 10.0, '"reducing performance degradation to only 10.8%"'),
    ("pose", "AP", "loss", "A", 15.0, '"performance falling by 41.9%"'),
    ("pose", "AP", "loss", "B", 15.0, '"before performance degradation exceeds 10%"'),
    ("pose", "AP", "gain", "B", 5.0, '"recovers network performance by up to 78.4%"'),
)
"""Task, metric, formula (loss, gain), side of the study's table (A: pretrained, B: retrained), JPEG quality, quote."""


_NEAR = 0.05
"""Two figures that differ by less than this (5 percentage points) count as the same."""


def percentages(evidence: Evidence) -> Finding:
    """Test the claim that your own results give the same percentages as the study's text."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, metric, kind, side, level, words in _QUOTED:
        study, up = published_tables()[task], metric != "rmse"
        place = study.levels.index(level)
        formula = _formula(kind, up)
        theirs = formula(*_printed(study, metric, kind, side, place))
        subject = evidence.main(task)
        first = subject.pretrained("jpeg", level if kind == "gain" else study.levels[0])
        second = subject.pretrained("jpeg", level) if side == "A" else subject.matched("jpeg", level)
        here = evidence.estimate(formula, (first, metric), (second, metric))
        name = f"{task} {metric}, ({side}) at {level:g}: {kind}"
        tests[name] = _near(here, theirs)
        rows.append(
            (name, words, f"{100 * theirs:.1f}%", here.text(percent=True), _compared(here, theirs, tests[name]))
        )
    computed = [test for test in tests.values() if test.value is not None]
    near, far = (sum(test.sign == sign for test in computed) for sign in (1, -1))
    points = f"{100 * _NEAR:g} points"
    ours = f"of {len(computed)} figures measured, {near} lie within {points} of the study's, {far} clearly farther off"
    table = Table(("what", "the study's words", "study", "here", "here it is"), tuple(rows))
    return Finding("percentages", ours if computed else UNMEASURED, verdict_of(tests.values()), (table,), tests)


def _formula(kind: str, up: bool) -> Any:
    """Return the study's formula of a loss or gain; `up` is whether a higher metric is better."""
    if kind == "gain" and up:
        return lambda before, after: (after - before) / after
    sign = 1 if up or kind == "gain" else -1
    return lambda top, value: sign * (top - value) / top


def _printed(study: PublishedTable, metric: str, kind: str, side: str, place: int) -> tuple[float, float]:
    """Return the two values of the study's table that a formula compares."""
    values = study.pretrained[metric]
    second = values if side == "A" else study.retrained[metric]
    return values[place if kind == "gain" else 0], second[place]


def _near(found: Estimate, theirs: float) -> Estimate:
    """Return `_NEAR` minus the distance of a figure from the study's figure; above 0 the two count as the same.

    The interval's ends are the smallest and the largest such value over the figure's interval.
    """
    if found.value is None or found.low is None or found.high is None:
        return Estimate(None)
    ends = abs(found.low - theirs), abs(found.high - theirs)
    least = 0.0 if found.holds(theirs) else min(ends)
    return Estimate(_NEAR - abs(found.value - theirs), _NEAR - max(ends), _NEAR - least)


def _compared(found: Estimate, theirs: float, test: Estimate) -> str:
    """Return in words how a figure compares with the study's figure: "the same", "larger", ..."""
    if found.value is None or test.value is None:
        return UNMEASURED
    if test.sign > 0:
        return "the same"
    if found.holds(theirs):
        return "not distinguishable"
    return "larger" if found.value > theirs else "smaller"
