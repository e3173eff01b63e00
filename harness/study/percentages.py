"""The percentages in the study's text, computed from its tables, and the same from one's own results."""

from __future__ import annotations

from typing import Any

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, judged
from harness.study.published import Published, published

__all__ = ["percentages"]

_SAID = (
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
"""Task, metric, what is computed, of which side of the table, at which quality, and the study's words."""


_NEAR = 0.05
"""How far a figure may be off and still be called the same."""


def percentages(evidence: Evidence) -> Finding:
    """Each figure of the text with its equal of one's own results."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, metric, kind, side, level, words in _SAID:
        study, up = published()[task], metric != "rmse"
        place = study.levels.index(level)
        formula = _formula(kind, up)
        theirs = formula(*_printed(study, metric, kind, side, place))
        subject = evidence.main(task)
        first = subject.pretrained("jpeg", level if kind == "gain" else study.levels[0])
        second = subject.pretrained("jpeg", level) if side == "A" else subject.matched("jpeg", level)
        here = evidence.estimate(formula, (first, metric), (second, metric))
        told = f"{task} {metric}, ({side}) at {level:g}: {kind}"
        tests[told] = _near(here, theirs)
        rows.append(
            (told, words, f"{100 * theirs:.1f}%", here.text(percent=True), _compared(here, theirs, tests[told]))
        )
    made = [test for test in tests.values() if test.value is not None]
    near, far = (sum(test.sign == sign for test in made) for sign in (1, -1))
    points = f"{100 * _NEAR:g} points"
    ours = f"of {len(made)} figures measured, {near} lie within {points} of the study's, {far} clearly farther off"
    table = Table(("what", "the study's words", "study", "here", "here it is"), tuple(rows))
    return Finding("percentages", ours if made else UNMEASURED, judged(tests.values()), (table,), tests)


def _formula(kind: str, up: bool) -> Any:
    if kind == "gain" and up:
        return lambda before, after: (after - before) / after
    sign = 1 if up or kind == "gain" else -1
    return lambda top, value: sign * (top - value) / top


def _printed(study: Published, metric: str, kind: str, side: str, place: int) -> tuple[float, float]:
    values = study.pretrained[metric]
    second = values if side == "A" else study.retrained[metric]
    return values[place if kind == "gain" else 0], second[place]


def _near(found: Estimate, theirs: float) -> Estimate:
    """How much less than `_NEAR` a figure is off; its ends are those of what the figure's interval leaves open."""
    if found.value is None or found.low is None or found.high is None:
        return Estimate(None)
    ends = abs(found.low - theirs), abs(found.high - theirs)
    least = 0.0 if found.holds(theirs) else min(ends)
    return Estimate(_NEAR - abs(found.value - theirs), _NEAR - max(ends), _NEAR - least)


def _compared(found: Estimate, theirs: float, test: Estimate) -> str:
    if found.value is None or test.value is None:
        return UNMEASURED
    if test.sign > 0:
        return "the same"
    if found.holds(theirs):
        return "not distinguishable"
    return "larger" if found.value > theirs else "smaller"
