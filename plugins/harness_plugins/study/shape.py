"""Claims about the shape of a pretrained model's curve of metric against level: is it straight, where is its knee?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, Verdict, verdict_of
from harness_plugins.study.model_results import ModelResults
from harness_plugins.study.published import PublishedTable, published_tables

__all__ = ["METRICS", "bends", "knees", "loss_from_top", "study_values", "uniform"]

METRICS = {
    "segmentation": ("mIoU", True),
    "depth": ("rmse", False),
    "detection": ("AP50", True),
    "pose": ("AP", True),
    "action": ("fusion_top1", True),
}
"""The metric of each task's curve, and whether higher is better. The study's value .703 for detection is AP50."""

_EQUAL_WITHIN = 0.1
"""Losses that differ by less than this count as equal."""

KNEES = {"jpeg": 15.0, "h264": 40.0}
"""The levels at which the study sees a knee in the curves, by codec."""


def study_values(task: str, retrained: bool = False) -> tuple[float, ...]:
    """Return the study's own values at its levels: those of the pretrained (A) or the retrained (B) models."""
    study = published_tables()[task]
    return (study.retrained if retrained else study.pretrained)[METRICS[task][0]]


def loss_from_top(task: str) -> Any:
    """Return the formula of a task's relative loss.

    The formula takes the metric's value at the mildest level and its value at another level. It returns the loss as a
    share of the value at the mildest level; positive is worse.
    """
    sign = 1 if METRICS[task][1] else -1
    return lambda top, value: sign * (top - value) / top


def bends(evidence: Evidence) -> Finding:
    """Test the claim that performance does not fall linearly with the level.

    The metric at a middle level is compared with the straight line between the mildest and the strongest level.
    """
    rows: list[tuple[Any, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published_tables().items():
        subject = evidence.main(task)
        metric, up = METRICS[task]
        mid = _middle(study)
        share = (study.levels[0] - mid) / (study.levels[0] - study.levels[-1])

        def above_line(top: Any, middle: Any, end: Any, share: float = share, sign: int = 1 if up else -1) -> Any:
            return sign * (middle - top - share * (end - top)) / top

        levels = (study.levels[0], mid, study.levels[-1])
        test = evidence.estimate(above_line, *((subject.pretrained(study.codec, level), metric) for level in levels))
        tests[task] = test
        printed = dict(zip(study.levels, study_values(task), strict=True))
        theirs = above_line(printed[levels[0]], printed[mid], printed[levels[-1]])
        rows.append((task, f"{study.codec} {mid:g}", metric, _percent(theirs), test.text(percent=True)))
    columns = ("task", "level", "metric", "study: above the straight line", "here")
    ours = _count(tests.values(), "curves lie significantly above the straight line between the ends")
    return Finding("bends", ours, verdict_of(tests.values()), (Table(columns, tuple(rows)),), tests)


def uniform(evidence: Evidence) -> Finding:
    """Test the claim that the tasks lose different shares at the strongest level."""
    rows, subjects = [], {}
    for task, study in published_tables().items():
        subject, (metric, _) = evidence.main(task), METRICS[task]
        ends = (study.levels[0], study.levels[-1])
        estimate = evidence.estimate(loss_from_top(task), *((subject.pretrained(study.codec, x), metric) for x in ends))
        subjects[task] = (subject, study)
        values = study_values(task)
        theirs = loss_from_top(task)(values[0], values[-1])
        rows.append((task, f"{study.codec} {ends[1]:g}", metric, _percent(theirs), estimate.text(percent=True)))
    pairs = list(combinations(subjects, 2))
    confidence = 1 - (1 - CONFIDENCE) / len(pairs)
    tests = {pair: _difference(evidence, subjects[pair[0]], subjects[pair[1]], confidence) for pair in pairs}
    computed = {pair: test for pair, test in tests.items() if test.low is not None}
    differing = sum(test.sign != 0 for test in computed.values())
    ours = UNMEASURED
    if computed:
        (first, second), most = max(computed.items(), key=lambda item: abs(item[1].value or 0.0))
        (first, second), most = ((first, second), most) if (most.value or 0.0) >= 0 else ((second, first), -most)
        ours = (
            f"{differing} of {len(computed)} pairs differ significantly, "
            f"most {first} - {second}: {most.text(percent=True)}"
        )
    equal = len(computed) == len(pairs) and all(_within(test, _EQUAL_WITHIN) for test in computed.values())
    verdict = Verdict.FAILS if equal else Verdict.UNDECIDED
    if differing and not equal:
        verdict = Verdict.HOLDS if len(computed) == len(pairs) else Verdict.PARTLY
    table = Table(("task", "level", "metric", "study: loss", "here"), tuple(rows))
    return Finding("uniform", ours, verdict, (table,))


def _difference(
    evidence: Evidence,
    first: tuple[ModelResults, PublishedTable],
    second: tuple[ModelResults, PublishedTable],
    confidence: float,
) -> Estimate:
    """Return the loss of the first task at the strongest level, minus the loss of the second task."""
    measures = [
        (subject.pretrained(study.codec, level), METRICS[subject.task][0])
        for subject, study in (first, second)
        for level in (study.levels[0], study.levels[-1])
    ]
    loss, other_loss = (loss_from_top(subject.task) for subject, _ in (first, second))
    return evidence.estimate(lambda a, b, c, d: loss(a, b) - other_loss(c, d), *measures, confidence=confidence)


def _within(test: Estimate, margin: float) -> bool:
    return test.low is not None and test.high is not None and -margin < test.low and test.high < margin


def knees(evidence: Evidence) -> Finding:
    """Test the claim that the curves have their knee at JPEG quality 15 and H.264 CRF 40.

    A level is a knee if a unit of the level costs more than twice as much below the level as above it.
    """
    tests: dict[str, Estimate] = {}
    tables, earlier = [], []
    for codec, claimed in KNEES.items():
        tasks = {task: study for task, study in published_tables().items() if study.codec == codec}
        inner = next(iter(tasks.values())).levels[1:-1]
        rows = []
        for task, study in tasks.items():
            theirs = [_ratio(*_three(study, level, study_values(task)), study, level) for level in inner]
            rows.append((f"{task}, study", *(f"{ratio:.1f}" if ratio > 0 else "-" for ratio in theirs)))
            cells = []
            for level in inner:
                test, ratio = _knee(evidence, evidence.main(task), study, level)
                if level == claimed:
                    tests[task] = test
                elif test.sign > 0 and inner.index(level) < inner.index(claimed):
                    earlier.append(f"{task} at {level:g}")
                cells.append(_marked(ratio, test))
            rows.append((f"{task}, here", *cells))
        tables.append(Table((f"{codec}: loss per unit below : above", *(f"{x:g}" for x in inner)), tuple(rows)))
    verdict = verdict_of(tests.values())
    if verdict is Verdict.HOLDS and earlier:
        verdict = Verdict.PARTLY
    places = " and ".join(f"{codec} {level:g}" for codec, level in KNEES.items())
    ours = _count(tests.values(), f"curves have a knee at {places}")
    ours += f"; milder levels are knees too: {', '.join(earlier)}" if earlier else "; no milder level is one"
    return Finding("knees", ours, verdict, tuple(tables), tests)


def _knee(evidence: Evidence, subject: ModelResults, study: PublishedTable, level: float) -> tuple[Estimate, Estimate]:
    """Compare the losses per unit of the level on both sides of a level.

    Returns:
        The loss per unit on the stronger side minus twice that on the milder side, as a share of the value at the
        mildest level; and the ratio of the two losses per unit.
    """
    metric, up = METRICS[subject.task]
    sign = 1 if up else -1
    place = study.levels.index(level)
    above, below = study.levels[place - 1], study.levels[place + 1]
    wide, narrow = abs(above - level), abs(level - below)

    def excess(top: Any, a: Any, b: Any, c: Any) -> Any:
        return sign * ((b - c) / narrow - 2 * (a - b) / wide) / top

    def ratio(a: Any, b: Any, c: Any) -> Any:
        return ((b - c) / narrow) / ((a - b) / wide)

    three = [(subject.pretrained(study.codec, x), metric) for x in (above, level, below)]
    top = (subject.pretrained(study.codec, study.levels[0]), metric)
    return evidence.estimate(excess, top, *three), evidence.estimate(ratio, *three)


def _marked(ratio: Estimate, test: Estimate) -> str:
    """Return a ratio as text, with a "*" if the level is significantly a knee; "-" if the ratio is not positive."""
    if ratio.value is None or test.value is None:
        return ""
    text = f"{ratio.value:.1f}" if ratio.value > 0 else "-"
    return f"{text} *" if test.sign > 0 else text


def _three(study: PublishedTable, level: float, values: Sequence[float]) -> tuple[float, float, float]:
    """Return the values at the next milder level, at the level, and at the next stronger level."""
    place = study.levels.index(level)
    return values[place - 1], values[place], values[place + 1]


def _ratio(a: float, b: float, c: float, study: PublishedTable, level: float) -> float:
    """Return the loss per unit of the level below a level, divided by that above it; 0 if nothing was lost above."""
    above, here, below = _three(study, level, study.levels)
    return ((b - c) / abs(here - below)) / ((a - b) / abs(above - here)) if a != b else 0.0


def _middle(study: PublishedTable) -> float:
    """Return the inner level of the study that is nearest to the middle of its range of levels."""
    centre = (study.levels[0] + study.levels[-1]) / 2
    return min(study.levels[1:-1], key=lambda level: abs(level - centre))


def _count(tests: Collection[Estimate], what: str) -> str:
    computed = [test for test in tests if test.value is not None]
    return f"{sum(test.sign > 0 for test in computed)} of {len(computed)} {what}" if computed else UNMEASURED


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
