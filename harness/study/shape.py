"""Claims about the shape of the curve of a pretrained model: is it straight, where does it break."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, Verdict, judged
from harness.study.published import Published, published
from harness.study.subject import ModelResults

__all__ = ["METRICS", "bends", "knees", "loss_from_top", "study_values", "uniform"]

METRICS = {
    "segmentation": ("mIoU", True),
    "depth": ("rmse", False),
    "detection": ("AP50", True),
    "pose": ("AP", True),
    "action": ("fusion_top1", True),
}
"""The metric that each task's curve is of, and whether more of it is better. The study's .703 of detection is AP50."""

_ALIKE = 0.1
"""Losses that differ by less than this count as alike."""

KNEES = {"jpeg": 15.0, "h264": 40.0}
"""Where the study sees the curves break."""


def study_values(task: str, retrained: bool = False) -> tuple[float, ...]:
    """The study's own curve, (A) or (B)."""
    study = published()[task]
    return (study.retrained if retrained else study.pretrained)[METRICS[task][0]]


def loss_from_top(task: str) -> Any:
    """The formula of the share of its value at the ladder's top that a metric has lost: of (top, value)."""
    sign = 1 if METRICS[task][1] else -1
    return lambda top, value: sign * (top - value) / top


def bends(evidence: Evidence) -> Finding:
    """Whether the curves are straight in the level."""
    rows: list[tuple[Any, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published().items():
        subject = evidence.main(task)
        metric, up = METRICS[task]
        mid = _middle(study)
        share = (study.levels[0] - mid) / (study.levels[0] - study.levels[-1])

        def off(top: Any, middle: Any, end: Any, share: float = share, sign: int = 1 if up else -1) -> Any:
            return sign * (middle - top - share * (end - top)) / top

        levels = (study.levels[0], mid, study.levels[-1])
        found = evidence.estimate(off, *((subject.pretrained(study.codec, level), metric) for level in levels))
        tests[task] = found
        printed = dict(zip(study.levels, study_values(task), strict=True))
        theirs = off(printed[levels[0]], printed[mid], printed[levels[-1]])
        rows.append((task, f"{study.codec} {mid:g}", metric, _percent(theirs), found.text(percent=True)))
    columns = ("task", "level", "metric", "study: above the straight line", "here")
    ours = _count(tests.values(), "curves lie significantly above the straight line between the ends")
    return Finding("bends", ours, judged(tests.values()), (Table(columns, tuple(rows)),), tests)


def uniform(evidence: Evidence) -> Finding:
    """Whether the tasks lose alike at the strongest level."""
    rows, found = [], {}
    for task, study in published().items():
        subject, (metric, _) = evidence.main(task), METRICS[task]
        ends = (study.levels[0], study.levels[-1])
        estimate = evidence.estimate(loss_from_top(task), *((subject.pretrained(study.codec, x), metric) for x in ends))
        found[task] = (subject, study)
        values = study_values(task)
        theirs = loss_from_top(task)(values[0], values[-1])
        rows.append((task, f"{study.codec} {ends[1]:g}", metric, _percent(theirs), estimate.text(percent=True)))
    pairs = list(combinations(found, 2))
    confidence = 1 - (1 - CONFIDENCE) / len(pairs)
    tests = {pair: _difference(evidence, found[pair[0]], found[pair[1]], confidence) for pair in pairs}
    made = {pair: test for pair, test in tests.items() if test.low is not None}
    apart = sum(test.sign != 0 for test in made.values())
    ours = UNMEASURED
    if made:
        (one, other), most = max(made.items(), key=lambda item: abs(item[1].value or 0.0))
        (one, other), most = ((one, other), most) if (most.value or 0.0) >= 0 else ((other, one), -most)
        ours = f"{apart} of {len(made)} pairs differ significantly, most {one} - {other}: {most.text(percent=True)}"
    alike = len(made) == len(pairs) and all(_within(test, _ALIKE) for test in made.values())
    verdict = Verdict.FAILS if alike else Verdict.UNDECIDED
    if apart and not alike:
        verdict = Verdict.HOLDS if len(made) == len(pairs) else Verdict.PARTLY
    table = Table(("task", "level", "metric", "study: loss", "here"), tuple(rows))
    return Finding("uniform", ours, verdict, (table,))


def _difference(
    evidence: Evidence, first: tuple[ModelResults, Published], second: tuple[ModelResults, Published], confidence: float
) -> Estimate:
    measures = [
        (subject.pretrained(study.codec, level), METRICS[subject.task][0])
        for subject, study in (first, second)
        for level in (study.levels[0], study.levels[-1])
    ]
    one, two = (loss_from_top(subject.task) for subject, _ in (first, second))
    return evidence.estimate(lambda a, b, c, d: one(a, b) - two(c, d), *measures, confidence=confidence)


def _within(test: Estimate, margin: float) -> bool:
    return test.low is not None and test.high is not None and -margin < test.low and test.high < margin


def knees(evidence: Evidence) -> Finding:
    """Where the loss for each unit of the level more than doubles."""
    tests: dict[str, Estimate] = {}
    tables, earlier = [], []
    for codec, claimed in KNEES.items():
        tasks = {task: study for task, study in published().items() if study.codec == codec}
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
    verdict = judged(tests.values())
    if verdict is Verdict.HOLDS and earlier:
        verdict = Verdict.PARTLY
    places = " and ".join(f"{codec} {level:g}" for codec, level in KNEES.items())
    ours = _count(tests.values(), f"curves have a knee at {places}")
    ours += f"; milder levels are knees too: {', '.join(earlier)}" if earlier else "; no milder level is one"
    return Finding("knees", ours, verdict, tuple(tables), tests)


def _knee(evidence: Evidence, subject: ModelResults, study: Published, level: float) -> tuple[Estimate, Estimate]:
    """(loss per unit below - 2 x above) in shares of the top's value, and the ratio of the two."""
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
    if ratio.value is None or test.value is None:
        return ""
    text = f"{ratio.value:.1f}" if ratio.value > 0 else "-"
    return f"{text} *" if test.sign > 0 else text


def _three(study: Published, level: float, values: Sequence[float]) -> tuple[float, float, float]:
    place = study.levels.index(level)
    return values[place - 1], values[place], values[place + 1]


def _ratio(a: float, b: float, c: float, study: Published, level: float) -> float:
    above, here, below = _three(study, level, study.levels)
    return ((b - c) / abs(here - below)) / ((a - b) / abs(above - here)) if a != b else 0.0


def _middle(study: Published) -> float:
    """The inner level nearest to the middle of the ladder's range."""
    centre = (study.levels[0] + study.levels[-1]) / 2
    return min(study.levels[1:-1], key=lambda level: abs(level - centre))


def _count(tests: Collection[Estimate], what: str) -> str:
    made = [test for test in tests if test.value is not None]
    return f"{sum(test.sign > 0 for test in made)} of {len(made)} {what}" if made else UNMEASURED


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
