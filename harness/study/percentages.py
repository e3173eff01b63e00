"""The percentages in the study's text, computed from its tables, and the same from one's own results."""

from __future__ import annotations

from typing import Any

from harness.study.estimate import Estimate
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, Verdict
from harness.study.published import Published, published
from harness.text_tables import Table

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


def percentages(evidence: Evidence) -> Finding:
    """Each figure of the text with its equal of one's own results."""
    rows: list[tuple[str, ...]] = []
    found: list[tuple[Estimate, float]] = []
    for task, metric, kind, side, level, words in _SAID:
        study, up = published()[task], metric != "rmse"
        place = study.levels.index(level)
        formula = _formula(kind, up)
        theirs = formula(*_printed(study, metric, kind, side, place))
        subject = evidence.main(task)
        first = subject.pretrained("jpeg", level if kind == "gain" else study.levels[0])
        second = subject.pretrained("jpeg", level) if side == "A" else subject.matched("jpeg", level)
        here = evidence.estimate(formula, (first, metric), (second, metric))
        found.append((here, theirs))
        told = f"{task} {metric}, ({side}) at {level:g}: {kind}"
        rows.append((told, words, f"{100 * theirs:.1f}%", here.text(percent=True), _compared(here, theirs)))
    inside = [one.holds(theirs) for one, theirs in found if one.value is not None]
    ours = f"{sum(inside)} of {len(inside)} of the study's figures lie in our interval" if inside else UNMEASURED
    verdict = Verdict.UNDECIDED
    if inside:
        verdict = Verdict.HOLDS if all(inside) else Verdict.PARTLY if any(inside) else Verdict.FAILS
    table = Table(("what", "the study's words", "study", "here", "here it is"), tuple(rows))
    return Finding("percentages", ours, verdict, (table,))


def _formula(kind: str, up: bool) -> Any:
    if kind == "gain" and up:
        return lambda before, after: (after - before) / after
    sign = 1 if up or kind == "gain" else -1
    return lambda top, value: sign * (top - value) / top


def _printed(study: Published, metric: str, kind: str, side: str, place: int) -> tuple[float, float]:
    values = study.pretrained[metric]
    second = values if side == "A" else study.retrained[metric]
    return values[place if kind == "gain" else 0], second[place]


def _compared(found: Estimate, theirs: float) -> str:
    if found.value is None:
        return UNMEASURED
    if found.holds(theirs):
        return "the same"
    return "larger" if found.value > theirs else "smaller"
