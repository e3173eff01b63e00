"""Claims about what detectors and pose networks do under compression, beyond their average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import CONFIDENCE
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, Verdict, judged
from harness.study.subject import ModelResults

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["detections", "persons", "thresholds"]

_MARGIN = 0.02
"""A fall of class accuracy by less than this counts as none."""
_STRONGEST = 5.0


def detections(evidence: Evidence) -> Finding:
    """Whether fewer objects are found, with lower scores, but with the right classes."""
    subject = evidence.main("detection")
    metrics = ("detections", "confidence", "label_accuracy")
    rows = [(name, *(evidence.value(cells, m).text() for m in metrics)) for name, cells in _ladder(subject)]
    none, strongest = subject.none(), subject.pretrained("jpeg", _STRONGEST)
    falls = [evidence.estimate(lambda a, b: a - b, (none, metric), (strongest, metric)) for metric in metrics]
    spared = evidence.estimate(lambda a, b: _MARGIN - (a - b), (none, metrics[2]), (strongest, metrics[2]))
    names = ("detections an image", "confidence", "class accuracy")
    told = "; ".join(f"{name} {(-fall).text()}" for name, fall in zip(names, falls, strict=True))
    ours = f"from none to quality {_STRONGEST:g}: {told}" if strongest else UNMEASURED
    tests = dict(zip(names, [*falls[:2], spared], strict=True))
    return Finding("detections", ours, judged(tests.values()), (Table(("quality", *names), tuple(rows)),), tests)


def persons(evidence: Evidence) -> Finding:
    """Whether more is falsely found where compression is strong."""
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
    return Finding("persons", ours, judged(tests.values()), (Table(columns, tuple(rows)),), tests)


def thresholds(evidence: Evidence) -> Finding:
    """Which threshold of body parts is best at each level."""
    found = {float(text): s for text, s in evidence.variants("pose", "part_threshold").items()}
    usual = evidence.option(evidence.main("pose"), "part_threshold") if found else None
    if usual not in found:
        return Finding("thresholds", UNMEASURED, Verdict.UNDECIDED)
    rows, told = [], []
    test = Estimate(None)
    bests: set[float | None] = set()
    others = sorted(found.keys() - {usual})
    confidence = 1 - (1 - CONFIDENCE) / len(others)
    ladders = {threshold: dict(_ladder(found[threshold])) for threshold in sorted(found)}
    for name, cells in ladders[usual].items():
        values = {threshold: evidence.value(ladder.get(name, []), "AP") for threshold, ladder in ladders.items()}
        best = max(values, key=lambda threshold: values[threshold].value or 0.0)
        rival = max(others, key=lambda threshold: values[threshold].value or 0.0)
        measures = (cells, "AP"), (ladders[rival].get(name, []), "AP")
        gain = evidence.estimate(lambda a, b: b - a, *measures, confidence=confidence)
        rows.append((name, *(one.text() for one in values.values()), f"{best:g}", gain.text()))
        told.append(f"{best:g} ({name})")
        bests.add(best if all(one.value is not None for one in values.values()) else None)
        if name == f"{_STRONGEST:g}":
            test = gain
    columns = ("quality", *(f"AP at {threshold:g}" for threshold in ladders), "best", f"best other - {usual:g}")
    verdict = Verdict.FAILS if bests == {usual} else judged([test])
    return Finding("thresholds", f"best is {', '.join(told)}", verdict, (Table(columns, tuple(rows)),))


def _ladder(subject: ModelResults) -> list[tuple[str, list[ResultCell]]]:
    """The pretrained model on uncompressed data, then at each level of JPEG: name and experiments."""
    levels = [(f"{level:g}", subject.pretrained("jpeg", level)) for level in subject.levels("jpeg")]
    return [("none", subject.none()), *levels] if levels else []
