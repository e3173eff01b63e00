"""Claims about what training on compressed data wins, beside as much training on uncompressed data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.study.evidence import Evidence, Measure
from harness.study.finding import UNMEASURED, Finding, judged
from harness.study.published import published
from harness.study.shape import METRICS, loss_from_top, study_values

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["augmentation", "better", "gains", "mixed", "net_gains", "safe"]

_MOST = ("detection", "pose")
"""Where the study sees retraining win most."""


def gains(evidence: Evidence) -> Finding:
    """Whether retraining wins most in detection and pose, as the study counts: (B - A) / B at the strongest level."""
    rows: list[tuple[str, ...]] = []
    measured: dict[str, tuple[Measure, Measure]] = {}
    for task, study in published().items():
        subject, end, metric = evidence.main(task), study.levels[-1], METRICS[task][0]
        pair = ((subject.pretrained(study.codec, end), metric), (subject.matched(study.codec, end), metric))
        measured[task] = pair
        theirs = _gain(task)(study_values(task)[-1], study_values(task, retrained=True)[-1])
        ours = evidence.estimate(_gain(task), *pair).text(percent=True)
        rows.append((task, f"{study.codec} {end:g}", metric, f"{100 * theirs:.1f}%", ours))
    tests: dict[str, Estimate] = {}
    for most in _MOST:
        for other in (task for task in measured if task not in _MOST):
            one, two = _gain(most), _gain(other)

            def more(a: Any, b: Any, c: Any, d: Any, one: Any = one, two: Any = two) -> Any:
                return one(a, b) - two(c, d)

            tests[f"{most} - {other}"] = evidence.estimate(more, *measured[most], *measured[other])
    told = [f"{name} {test.text(percent=True)}" for name, test in tests.items()]
    table = Table(("task", "level", "metric", "study: gain", "here"), tuple(rows))
    return Finding("gains", "; ".join(told), judged(tests.values()), (table,), tests)


def net_gains(evidence: Evidence) -> Finding:
    """What is left of the gain beside a control that has had as much training."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published().items():
        subject, metric = evidence.main(task), METRICS[task][0]
        none = subject.none()
        for level in study.levels[1:]:
            before, after = subject.pretrained(study.codec, level), subject.matched(study.codec, level)
            net = better(evidence, task, subject.control(after), after)
            if level == study.levels[-1]:
                tests[task] = net
            if after:
                plain = better(evidence, task, before, after)
                recovered = _recovered(evidence, task, none, before, after)
                rows.append((task, f"{study.codec} {level:g}", metric, plain.text(), recovered, net.text()))
    made = [test for test in tests.values() if test.value is not None]
    gained = sum(test.sign > 0 for test in made)
    ours = f"{gained} of {len(made)} tasks gain significantly against the control at the strongest level"
    columns = ("task", "level", "metric", "gain", "recovered of the loss", "net gain, against clean")
    table = Table(columns, tuple(rows))
    return Finding("net_gains", ours if rows else UNMEASURED, judged(tests.values()), (table,), tests)


def _recovered(
    evidence: Evidence, task: str, none: Sequence[ResultCell], before: Sequence[ResultCell], after: Sequence[ResultCell]
) -> str:
    """The share of the loss that retraining wins back; that there is no loss is said only where it was measured."""
    metric, up = METRICS[task]
    sign = 1 if up else -1
    lost = better(evidence, task, before, none)
    if lost.low is not None and lost.sign <= 0:
        return "no significant loss"
    share = evidence.share(
        lambda whole, a, b: sign * (b - a),
        lambda whole, a, b: sign * (whole - a),
        *((cells, metric) for cells in (none, before, after)),
    )
    return share.text(percent=True)


def safe(evidence: Evidence) -> Finding:
    """Whether retrained models stay within a tenth of the top at quality 15."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published().items():
        if study.codec != "jpeg":
            continue
        subject, metric, loss = evidence.main(task), METRICS[task][0], loss_from_top(task)
        pair = ((subject.pretrained("jpeg", study.levels[0]), metric), (subject.matched("jpeg", 15.0), metric))

        def spared(top: Any, after: Any, loss: Any = loss) -> Any:
            return 0.1 - loss(top, after)

        tests[task] = evidence.estimate(spared, *pair)
        theirs = loss(study_values(task)[0], study_values(task, retrained=True)[study.levels.index(15.0)])
        rows.append((task, metric, f"{100 * theirs:.1f}%", evidence.estimate(loss, *pair).text(percent=True)))
    made = [test for test in tests.values() if test.value is not None]
    ours = f"{sum(test.sign > 0 for test in made)} of {len(made)} tasks lose significantly less than 10%"
    table = Table(("task", "metric", "study: loss at 15, retrained", "here"), tuple(rows))
    return Finding("safe", ours if made else UNMEASURED, judged(tests.values()), (table,), tests)


def augmentation(evidence: Evidence) -> Finding:
    """Whether models retrained on compressed data are better on uncompressed data than the control."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    told: list[str] = []
    width = max(len(study.levels) - 1 for study in published().values())
    for task, study in published().items():
        subject = evidence.main(task)
        control = subject.trained(None, None, "none", None)
        trained = [subject.trained(study.codec, level, "none", None) for level in study.levels[1:]]
        metric, up = METRICS[task]

        def mean(clean: Any, *taught: Any, sign: int = 1 if up else -1) -> Any:
            return sign * (sum(taught) / len(taught) - clean)

        every = evidence.estimate(mean, (control, metric), *((cells, metric) for cells in trained))
        if task in _MOST:
            tests[task] = every
        if not control or not any(trained):
            continue
        each = [better(evidence, task, control, cells).text() if cells else "" for cells in trained]
        each += [""] * (width - len(each))
        rows.append((task, metric, evidence.value(control, metric).text(), *each, every.text()))
        told.append(f"{task} {every.text()}")
    columns = ("task", "metric", "clean", *(f"level {number}" for number in range(2, width + 2)), "mean")
    table = Table(columns, tuple(rows))
    return Finding("augmentation", "; ".join(told) or UNMEASURED, judged(tests.values()), (table,), tests)


def mixed(evidence: Evidence) -> Finding:
    """Whether training on all levels at once does as well as training at the very level."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published().items():
        subject, metric = evidence.main(task), METRICS[task][0]
        for level in study.levels[1:]:
            every, own = subject.mixed(study.codec, level), subject.matched(study.codec, level)
            tests[f"{task} {study.codec} {level:g}"] = test = better(evidence, task, own, every)
            if every and own:
                values = (evidence.value(cells, metric).text() for cells in (own, every))
                rows.append((task, f"{study.codec} {level:g}", metric, *values, test.text()))
    up, down = (sum(test.sign == sign for test in tests.values()) for sign in (1, -1))
    ours = f"mixed is significantly better at {up}, worse at {down} of {len(rows)} measured; {len(tests)} are asked"
    columns = ("task", "level", "metric", "at the level", "mixed", "mixed - at the level")
    return Finding("mixed", ours if rows else UNMEASURED, judged(tests.values()), (Table(columns, tuple(rows)),), tests)


def better(evidence: Evidence, task: str, than: Sequence[ResultCell], cells: Sequence[ResultCell]) -> Estimate:
    """By how much some experiments are better than others in the task's metric."""
    metric, up = METRICS[task]
    sign = 1 if up else -1
    return evidence.estimate(lambda a, b: sign * (b - a), (than, metric), (cells, metric))


def _gain(task: str) -> Any:
    """The formula of the study's gain: of (pretrained, retrained)."""
    if METRICS[task][1]:
        return lambda before, after: (after - before) / after
    return lambda before, after: (before - after) / before
