"""Claims about sizes: the study reads qualities as shares of the original size; here bytes are counted."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.study.evidence import RATE, Evidence
from harness.study.finding import UNMEASURED, Finding, judged
from harness.study.subject import ModelResults

__all__ = ["CLAIMED", "sizes"]

CLAIMED = {15.0: 0.15, 10.0: 0.1, 5.0: 0.05}
"""The share of the size that the study reads from, or gives for, each of JPEG's qualities."""

_NEAR = 0.1
"""How far a share may be off, as a share of what is claimed."""
_TOP = 95.0
_RAW = 24.0
"""Bits per pixel of uncompressed frames."""


def sizes(evidence: Evidence) -> list[Finding]:
    """What JPEG's qualities cost in bytes, against quality 95 and against raw pixels."""
    largest: dict[tuple[str, ...], ModelResults] = {}
    for subject in sorted(evidence.subjects, key=lambda one: int(one.facts["planned_samples"])):
        if {_TOP, *CLAIMED} <= set(subject.levels("jpeg")):
            largest[subject.facts["dataset"], subject.facts["split"], subject.task] = subject
    return [_size(evidence, list(largest.values()), level) for level in CLAIMED]


def _size(evidence: Evidence, subjects: Sequence[ModelResults], level: float) -> Finding:
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    shares: list[Estimate] = []
    claimed = CLAIMED[level]
    for subject in subjects:
        top, here = ((subject.pretrained("jpeg", x), RATE) for x in (_TOP, level))
        share = evidence.estimate(lambda a, b: b / a, top, here)
        shares.append(share)
        raw = evidence.estimate(lambda bits: bits / _RAW, here)
        bits = [evidence.value(*one).text(2) for one in (top, here)]
        data = f"{subject.facts['dataset']}/{subject.facts['split']} ({subject.task})"
        rows.append((data, *bits, share.text(percent=True), raw.text(percent=True)))
        tests[data] = evidence.estimate(lambda a, b: _NEAR - abs(b / a - claimed) / claimed, top, here)
    columns = ("data", f"bpp at {_TOP:g}", f"bpp at {level:g}", f"size against {_TOP:g}", "size against raw (24 bpp)")
    found = sorted(share.value for share in shares if share.value is not None)
    ours = f"{100 * found[0]:.1f}% to {100 * found[-1]:.1f}% of the size at {_TOP:g}" if found else UNMEASURED
    return Finding(f"size_{level:g}", ours, judged(tests.values()), (Table(columns, tuple(rows)),), tests)
