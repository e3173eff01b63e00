"""Claims about file sizes. The study takes JPEG's qualities as shares of the original size; here bits are counted."""

from __future__ import annotations

from collections.abc import Sequence

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import RATE, Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, verdict_of
from harness_plugins.study.model_results import ModelResults

__all__ = ["CLAIMED", "sizes"]

CLAIMED = {15.0: 0.15, 10.0: 0.1, 5.0: 0.05}
"""The share of the original size that the study claims for each JPEG quality."""

_NEAR = 0.1
"""The allowed relative difference between a measured share and the claimed share."""
_TOP = 95.0
"""The JPEG quality whose size counts as the original size."""
_RAW = 24.0
"""Bits per pixel of uncompressed frames."""


def sizes(evidence: Evidence) -> list[Finding]:
    """Test the study's claims about sizes, one for each JPEG quality; sizes are relative to quality 95."""
    largest: dict[tuple[str, ...], ModelResults] = {}
    for subject in sorted(evidence.subjects, key=lambda subject: int(subject.facts["planned_samples"])):
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
        bits = [evidence.value(*measure).text(2) for measure in (top, here)]
        data = f"{subject.facts['dataset']}/{subject.facts['split']} ({subject.task})"
        rows.append((data, *bits, share.text(percent=True), raw.text(percent=True)))
        tests[data] = evidence.estimate(lambda a, b: _NEAR - abs(b / a - claimed) / claimed, top, here)
    columns = ("data", f"bpp at {_TOP:g}", f"bpp at {level:g}", f"size against {_TOP:g}", "size against raw (24 bpp)")
    values = sorted(share.value for share in shares if share.value is not None)
    ours = f"{100 * values[0]:.1f}% to {100 * values[-1]:.1f}% of the size at {_TOP:g}" if values else UNMEASURED
    return Finding(f"size_{level:g}", ours, verdict_of(tests.values()), (Table(columns, tuple(rows)),), tests)
