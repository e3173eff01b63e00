"""The claim that retraining delays the level at which performance drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, Verdict
from harness.study.published import Published, published
from harness.study.shape import METRICS, loss_from_top, study_values

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness.study.subject import ModelResults

__all__ = ["delayed"]

_LOST = 0.2
"""From which share of its value at the top a model is said to have dropped."""


def delayed(evidence: Evidence) -> Finding:
    """Whether the first level at which a fifth is lost is a stronger one after retraining."""
    rows: list[tuple[str, ...]] = []
    verdict, less = Verdict.UNDECIDED, ""
    for task, study in published().items():
        subject = evidence.main(task)
        sides = [_drop(evidence, subject, study, side) for side in (subject.pretrained, subject.matched)]
        theirs = (_printed_drop(task, study, retrained) for retrained in (False, True))
        rows.append((task, METRICS[task][0], *(_told(study, place) for place in (*theirs, *sides))))
        before, after = sides
        if task == "detection" and before is not None and after is not None and before < len(study.levels):
            spared = _spared(evidence, subject, study.codec, study.levels[0], study.levels[before])
            verdict = Verdict.FAILS if after <= before else Verdict.HOLDS if spared.sign > 0 else Verdict.UNDECIDED
            less = f"; at {_told(study, before)} retraining spares {spared.text(percent=True)}"
    columns = ("task", "metric", "study: pretrained", "study: retrained", "pretrained", "retrained")
    before_said, after_said = next(row[4:] for row in rows if row[0] == "detection")
    ours = f"detection drops at: pretrained {before_said}; retrained {after_said}{less}"
    return Finding("delayed", ours, verdict, (Table(columns, tuple(rows)),))


def _drop(
    evidence: Evidence, subject: ModelResults, study: Published, side: Callable[[str, float], Sequence[ResultCell]]
) -> int | None:
    """The place in the ladder of the first level where a fifth is lost, the ladder's length where it is nowhere; None
    where a level has no interval."""
    metric, loss = METRICS[subject.task][0], loss_from_top(subject.task)

    def beyond(top: Any, value: Any) -> Any:
        return loss(top, value) - _LOST

    top = (subject.pretrained(study.codec, study.levels[0]), metric)
    tests = [evidence.estimate(beyond, top, (side(study.codec, level), metric)) for level in study.levels[1:]]
    if any(test.low is None for test in tests):
        return None
    return next((place for place, test in enumerate(tests, 1) if test.sign > 0), len(study.levels))


def _spared(evidence: Evidence, subject: ModelResults, codec: str, top: float, level: float) -> Estimate:
    """By how much less the retrained model has lost at a level, in shares of the pretrained one's value at the top."""
    metric, loss = METRICS[subject.task][0], loss_from_top(subject.task)
    found = (subject.pretrained(codec, top), subject.pretrained(codec, level), subject.matched(codec, level))
    return evidence.estimate(lambda a, b, c: loss(a, b) - loss(a, c), *((cells, metric) for cells in found))


def _printed_drop(task: str, study: Published, retrained: bool) -> int:
    values, loss = study_values(task, retrained), loss_from_top(task)
    return next((n for n, value in enumerate(values) if loss(values[0], value) > _LOST), len(study.levels))


def _told(study: Published, place: int | None) -> str:
    if place is None:
        return UNMEASURED
    return "none" if place == len(study.levels) else f"{study.codec} {study.levels[place]:g}"
