"""Claims about the two streams of action recognition."""

from __future__ import annotations

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, verdict_of
from harness_plugins.study.published import published_tables

__all__ = ["motion", "spatial_only"]

_STREAMS = ("spatial_top1", "motion_top1", "fusion_top1")


def motion(evidence: Evidence) -> Finding:
    """Test the claim that retraining on compressed video makes the motion stream worse."""
    subject, study = evidence.main("action"), published_tables()["action"]
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for place, level in enumerate(study.levels[1:], 1):
        before, after = subject.pretrained("h264", level), subject.matched("h264", level)
        cells: list[str] = []
        for stream in _STREAMS:
            theirs = study.retrained[stream][place] - study.pretrained[stream][place]
            gained = evidence.estimate(lambda a, b: b - a, (before, stream), (after, stream))
            cells += [f"{theirs:+.3f}", gained.text()]
        lost = evidence.estimate(lambda a, b: a - b, (before, "motion_top1"), (after, "motion_top1"))
        tests[f"CRF {level:g}"] = lost
        rows += [(f"{level:g}", *cells)] if after else []
    lower, higher = (sum(test.sign == sign for test in tests.values()) for sign in (1, -1))
    ours = f"significantly lower at {lower}, significantly higher at {higher} of {len(rows)} levels"
    columns = ("CRF", *(head for name in ("spatial", "motion", "fusion") for head in (f"study: {name}", name)))
    table = Table(columns, tuple(rows))
    return Finding("motion", ours if rows else UNMEASURED, verdict_of(tests.values()), (table,), tests)


def spatial_only(evidence: Evidence) -> Finding:
    """Test the claim that the fused top-1 is better if only the spatial stream is retrained than if both are."""
    subject, study, metric = evidence.main("action"), published_tables()["action"], "fusion_top1"
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for level in study.levels[1:]:
        only = subject.matched("h264", level, "spatial")
        both, before = subject.matched("h264", level), subject.pretrained("h264", level)
        tests[f"CRF {level:g}"] = test = evidence.estimate(lambda a, b: b - a, (both, metric), (only, metric))
        if only and both:
            values = (evidence.value(cells, metric).text() for cells in (before, both, only))
            rows.append((f"{level:g}", *values, test.text()))
    ours = f"fused top-1, spatial only - both, at CRF {rows[-1][0]}: {rows[-1][-1]}" if rows else UNMEASURED
    columns = ("CRF", "none retrained", "both", "spatial only", "spatial only - both")
    return Finding("spatial_only", ours, verdict_of(tests.values()), (Table(columns, tuple(rows)),), tests)
