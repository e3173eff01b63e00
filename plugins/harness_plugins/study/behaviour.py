"""Claims about what detectors and pose networks do under compression, beyond their average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, Verdict, verdict_of
from harness_plugins.study.model_results import ModelResults

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["detections", "persons", "thresholds"]

_MARGIN = 0.02
"""A fall of class accuracy by less than this counts as no fall."""
_STRONGEST = 5.0
"""The strongest level of JPEG in the study (quality)."""


def detections(evidence: Evidence) -> Finding:
    """Test the claim that under compression a detector finds fewer objects, with lower scores but the right classes."""
    subject = evidence.main("detection")
    metrics = ("detections", "confidence", "label_accuracy")
    rows = [(name, *(evidence.value(cells, m).text() for m in metrics)) for name, cells in _ladder(subject)]
    none, strongest = subject.none(), subject.pretrained("jpeg", _STRONGEST)
    falls = [evidence.estimate(lambda a, b: a - b, (none, metric), (strongest, metric)) for metric in metrics]
    within_margin = evidence.estimate(lambda a, b: _MARGIN - (a - b), (none, metrics[2]), (strongest, metrics[2]))
    names = ("detections an image", "confidence", "class accuracy")
    changes = "; ".join(f"{name} {(-fall).text()}" for name, fall in zip(names, falls, strict=True))
    ours = f"from none to quality {_STRONGEST:g}: {changes}" if strongest else UNMEASURED
    tests = dict(zip(names, [*falls[:2], within_margin], strict=True))
    return Finding("detections", ours, verdict_of(tests.values()), (Table(("quality", *names), tuple(rows)),), tests)


def persons(evidence: Evidence) -> Finding:
    """Test the claim that strong compression makes a pose network find more false persons."""
    subject = evidence.main("pose")
    every, false = "persons", "false_persons"
    rows = []
    for name, cells in _ladder(subject):
        share = evidence.estimate(lambda a, b: a / b, (cells, false), (cells, every))
        values = [evidence.value(cells, metric).text() for metric in (every, false, "AR50")]
        rows.append((name, *values[:2], share.text(percent=True), values[2]))
    none, strongest = subject.none(), subject.pretrained("jpeg", _STRONGEST)
    number = evidence.estimate(lambda a, b: b - a, (none, false), (strongest, false))
    measures = [(cells, metric) for cells in (none, strongest) for metric in (false, every)]
    share = evidence.estimate(lambda a, b, c, d: c / d - a / b, *measures)
    ours = f"from none to quality {_STRONGEST:g}: false persons an image {number.text()}, their share of those found "
    ours = ours + share.text(percent=True) if strongest else UNMEASURED
    columns = ("quality", "found an image", "false an image", "false of found", "AR50")
    tests = {"their number": number, "their share": share}
    return Finding("persons", ours, verdict_of(tests.values()), (Table(columns, tuple(rows)),), tests)


def thresholds(evidence: Evidence) -> Finding:
    """Test the claim that under compression another threshold of body parts is better than the usual one."""
    variants = {float(text): s for text, s in evidence.variants("pose", "part_threshold").items()}
    usual = evidence.option(evidence.main("pose"), "part_threshold") if variants else None
    if usual not in variants:
        return Finding("thresholds", UNMEASURED, Verdict.UNDECIDED)
    rows, best_texts = [], []
    test = Estimate(None)
    bests: set[float | None] = set()
    other_thresholds = sorted(variants.keys() - {usual})
    confidence = 1 - (1 - CONFIDENCE) / len(other_thresholds)
    ladders = {threshold: dict(_ladder(variants[threshold])) for threshold in sorted(variants)}
    for name, cells in ladders[usual].items():
        values = {threshold: evidence.value(ladder.get(name, []), "AP") for threshold, ladder in ladders.items()}
        best = max(values, key=lambda threshold: values[threshold].value or 0.0)
        rival = max(other_thresholds, key=lambda threshold: values[threshold].value or 0.0)
        measures = (cells, "AP"), (ladders[rival].get(name, []), "AP")
        gain = evidence.estimate(lambda a, b: b - a, *measures, confidence=confidence)
        rows.append((name, *(value.text() for value in values.values()), f"{best:g}", gain.text()))
        best_texts.append(f"{best:g} ({name})")
        bests.add(best if all(value.value is not None for value in values.values()) else None)
        if name == f"{_STRONGEST:g}":
            test = gain
    columns = ("quality", *(f"AP at {threshold:g}" for threshold in ladders), "best", f"best other - {usual:g}")
    verdict = Verdict.FAILS if bests == {usual} else verdict_of([test])
    return Finding("thresholds", f"best is {', '.join(best_texts)}", verdict, (Table(columns, tuple(rows)),))


def _ladder(subject: ModelResults) -> list[tuple[str, list[ResultCell]]]:
    """Return the pretrained model's experiments, on uncompressed data and at each level of JPEG.

    Returns:
        Pairs of the level's name ("none" for uncompressed) and its experiments; empty without a level of JPEG.
    """
    levels = [(f"{level:g}", subject.pretrained("jpeg", level)) for level in subject.levels("jpeg")]
    return [("none", subject.none()), *levels] if levels else []
