"""The claim that retraining delays the level at which performance drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, Verdict
from harness_plugins.study.published import PublishedTable, published_tables
from harness_plugins.study.shape import METRICS, loss_from_top, study_values

if TYPE_CHECKING:
    from harness.results.cells import ResultCell
    from harness_plugins.study.model_results import ModelResults

__all__ = ["delayed"]

_LOST = 0.2
"""A model counts as dropped when it has lost more than this share of its value at the mildest level."""


def delayed(evidence: Evidence) -> Finding:
    """Test the claim that retraining delays the drop: that a detector loses a fifth only at a stronger level."""
    rows: list[tuple[str, ...]] = []
    verdict, saved_text = Verdict.UNDECIDED, ""
    for task, study in published_tables().items():
        subject = evidence.main(task)
        sides = [_drop(evidence, subject, study, side) for side in (subject.pretrained, subject.matched)]
        theirs = (_printed_drop(task, study, retrained) for retrained in (False, True))
        rows.append((task, METRICS[task][0], *(_level_text(study, place) for place in (*theirs, *sides))))
        before, after = sides
        if task == "detection" and before is not None and after is not None and before < len(study.levels):
            saved = _loss_saved(evidence, subject, study.codec, study.levels[0], study.levels[before])
            verdict = Verdict.FAILS if after <= before else Verdict.HOLDS if saved.sign > 0 else Verdict.UNDECIDED
            saved_text = f"; at {_level_text(study, before)} retraining spares {saved.text(percent=True)}"
    columns = ("task", "metric", "study: pretrained", "study: retrained", "pretrained", "retrained")
    before_text, after_text = next(row[4:] for row in rows if row[0] == "detection")
    ours = f"detection drops at: pretrained {before_text}; retrained {after_text}{saved_text}"
    return Finding("delayed", ours, verdict, (Table(columns, tuple(rows)),))


def _drop(
    evidence: Evidence, subject: ModelResults, study: PublishedTable, side: Callable[[str, float], Sequence[ResultCell]]
) -> int | None:
    """Return the index of the first level at which a model has significantly lost more than a fifth.

    Args:
        evidence: the experiments of the database.
        subject: the experiments of the model.
        study: the study's table, which gives the codec and the levels.
        side: returns the experiments at a codec and level: pretrained or retrained.

    Returns:
        An index into the study's levels; the number of levels if the model drops at none; None if a level has no
        interval.
    """
    metric, loss = METRICS[subject.task][0], loss_from_top(subject.task)

    def beyond(top: Any, value: Any) -> Any:
        return loss(top, value) - _LOST

    top = (subject.pretrained(study.codec, study.levels[0]), metric)
    tests = [evidence.estimate(beyond, top, (side(study.codec, level), metric)) for level in study.levels[1:]]
    if any(test.low is None for test in tests):
        return None
    return next((place for place, test in enumerate(tests, 1) if test.sign > 0), len(study.levels))


def _loss_saved(evidence: Evidence, subject: ModelResults, codec: str, top: float, level: float) -> Estimate:
    """Return the loss of the pretrained model at a level, minus the loss of the retrained model.

    Both losses are shares of the pretrained model's value at the mildest level `top`.
    """
    metric, loss = METRICS[subject.task][0], loss_from_top(subject.task)
    sides = (subject.pretrained(codec, top), subject.pretrained(codec, level), subject.matched(codec, level))
    return evidence.estimate(lambda a, b, c: loss(a, b) - loss(a, c), *((cells, metric) for cells in sides))


def _printed_drop(task: str, study: PublishedTable, retrained: bool) -> int:
    """Return the index of the first level at which the study's own figures have lost more than a fifth."""
    values, loss = study_values(task, retrained), loss_from_top(task)
    return next((n for n, value in enumerate(values) if loss(values[0], value) > _LOST), len(study.levels))


def _level_text(study: PublishedTable, place: int | None) -> str:
    """Return the text for an index into the study's levels, such as "jpeg 15"."""
    if place is None:
        return UNMEASURED
    return "none" if place == len(study.levels) else f"{study.codec} {study.levels[place]:g}"
