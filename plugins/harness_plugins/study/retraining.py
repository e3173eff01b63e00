"""Claims about the gain from training on compressed data, also compared with as much training on uncompressed data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import Evidence, Measure
from harness_plugins.study.finding import UNMEASURED, Finding, verdict_of
from harness_plugins.study.published import published_tables
from harness_plugins.study.shape import METRICS, loss_from_top, study_values

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["augmentation", "gains", "improvement", "mixed", "net_gains", "safe"]

_MOST = ("detection", "pose")
"""The tasks for which the study reports the largest gains from retraining."""


def gains(evidence: Evidence) -> Finding:
    """Test the claim that retraining gains most in detection and pose.

    The gain is the study's: (retrained - pretrained) / retrained at the strongest level; for RMSE the share by which it
    falls.
    """
    rows: list[tuple[str, ...]] = []
    measured: dict[str, tuple[Measure, Measure]] = {}
    for task, study in published_tables().items():
        subject, end, metric = evidence.main(task), study.levels[-1], METRICS[task][0]
        pair = ((subject.pretrained(study.codec, end), metric), (subject.matched(study.codec, end), metric))
        measured[task] = pair
        theirs = _gain(task)(study_values(task)[-1], study_values(task, retrained=True)[-1])
        ours = evidence.estimate(_gain(task), *pair).text(percent=True)
        rows.append((task, f"{study.codec} {end:g}", metric, f"{100 * theirs:.1f}%", ours))
    tests: dict[str, Estimate] = {}
    for most in _MOST:
        for other in (task for task in measured if task not in _MOST):
            first, second = _gain(most), _gain(other)

            def difference(a: Any, b: Any, c: Any, d: Any, first: Any = first, second: Any = second) -> Any:
                return first(a, b) - second(c, d)

            tests[f"{most} - {other}"] = evidence.estimate(difference, *measured[most], *measured[other])
    texts = [f"{name} {test.text(percent=True)}" for name, test in tests.items()]
    table = Table(("task", "level", "metric", "study: gain", "here"), tuple(rows))
    return Finding("gains", "; ".join(texts), verdict_of(tests.values()), (table,), tests)


def net_gains(evidence: Evidence) -> Finding:
    """Test the claim that the compressed data help, and not only the longer training.

    The retrained model is compared with a control that was trained as long on uncompressed data.
    """
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published_tables().items():
        subject, metric = evidence.main(task), METRICS[task][0]
        none = subject.none()
        for level in study.levels[1:]:
            before, after = subject.pretrained(study.codec, level), subject.matched(study.codec, level)
            net = improvement(evidence, task, subject.control(after), after)
            if level == study.levels[-1]:
                tests[task] = net
            if after:
                plain = improvement(evidence, task, before, after)
                recovered = _recovered(evidence, task, none, before, after)
                rows.append((task, f"{study.codec} {level:g}", metric, plain.text(), recovered, net.text()))
    computed = [test for test in tests.values() if test.value is not None]
    gained = sum(test.sign > 0 for test in computed)
    ours = f"{gained} of {len(computed)} tasks gain significantly against the control at the strongest level"
    columns = ("task", "level", "metric", "gain", "recovered of the loss", "net gain, against clean")
    table = Table(columns, tuple(rows))
    return Finding("net_gains", ours if rows else UNMEASURED, verdict_of(tests.values()), (table,), tests)


def _recovered(
    evidence: Evidence, task: str, none: Sequence[ResultCell], before: Sequence[ResultCell], after: Sequence[ResultCell]
) -> str:
    """Return as text the share of the loss that retraining wins back.

    Args:
        evidence: the experiments of the databases.
        task: the task.
        none: the pretrained model on uncompressed data.
        before: the pretrained model at the level.
        after: the retrained model at the level.

    Returns:
        The share with its interval, "no significant loss", or the text for a missing measurement.
    """
    metric, up = METRICS[task]
    sign = 1 if up else -1
    lost = improvement(evidence, task, before, none)
    if lost.low is not None and lost.sign <= 0:
        return "no significant loss"
    share = evidence.share(
        lambda whole, a, b: sign * (b - a),
        lambda whole, a, b: sign * (whole - a),
        *((cells, metric) for cells in (none, before, after)),
    )
    return share.text(percent=True)


def safe(evidence: Evidence) -> Finding:
    """Test the claim that retrained models lose less than a tenth at JPEG quality 15."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published_tables().items():
        if study.codec != "jpeg":
            continue
        subject, metric, loss = evidence.main(task), METRICS[task][0], loss_from_top(task)
        pair = ((subject.pretrained("jpeg", study.levels[0]), metric), (subject.matched("jpeg", 15.0), metric))

        def within_tenth(top: Any, after: Any, loss: Any = loss) -> Any:
            return 0.1 - loss(top, after)

        tests[task] = evidence.estimate(within_tenth, *pair)
        theirs = loss(study_values(task)[0], study_values(task, retrained=True)[study.levels.index(15.0)])
        rows.append((task, metric, f"{100 * theirs:.1f}%", evidence.estimate(loss, *pair).text(percent=True)))
    computed = [test for test in tests.values() if test.value is not None]
    ours = f"{sum(test.sign > 0 for test in computed)} of {len(computed)} tasks lose significantly less than 10%"
    table = Table(("task", "metric", "study: loss at 15, retrained", "here"), tuple(rows))
    return Finding("safe", ours if computed else UNMEASURED, verdict_of(tests.values()), (table,), tests)


def augmentation(evidence: Evidence) -> Finding:
    """Test the claim that compression is a data augmentation.

    Models retrained on compressed data are compared on uncompressed data with the control, which was retrained on
    uncompressed data.
    """
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    texts: list[str] = []
    width = max(len(study.levels) - 1 for study in published_tables().values())
    for task, study in published_tables().items():
        subject = evidence.main(task)
        control = subject.trained(None, None, "none", None)
        trained = [subject.trained(study.codec, level, "none", None) for level in study.levels[1:]]
        metric, up = METRICS[task]

        def mean(clean: Any, *retrained: Any, sign: int = 1 if up else -1) -> Any:
            return sign * (sum(retrained) / len(retrained) - clean)

        every = evidence.estimate(mean, (control, metric), *((cells, metric) for cells in trained))
        if task in _MOST:
            tests[task] = every
        if not control or not any(trained):
            continue
        each = [improvement(evidence, task, control, cells).text() if cells else "" for cells in trained]
        each += [""] * (width - len(each))
        rows.append((task, metric, evidence.value(control, metric).text(), *each, every.text()))
        texts.append(f"{task} {every.text()}")
    columns = ("task", "metric", "clean", *(f"level {number}" for number in range(2, width + 2)), "mean")
    table = Table(columns, tuple(rows))
    return Finding("augmentation", "; ".join(texts) or UNMEASURED, verdict_of(tests.values()), (table,), tests)


def mixed(evidence: Evidence) -> Finding:
    """Test the claim that training on all levels at once is better than training at the level that is tested."""
    rows: list[tuple[str, ...]] = []
    tests: dict[str, Estimate] = {}
    for task, study in published_tables().items():
        subject, metric = evidence.main(task), METRICS[task][0]
        for level in study.levels[1:]:
            every, own = subject.mixed(study.codec, level), subject.matched(study.codec, level)
            tests[f"{task} {study.codec} {level:g}"] = test = improvement(evidence, task, own, every)
            if every and own:
                values = (evidence.value(cells, metric).text() for cells in (own, every))
                rows.append((task, f"{study.codec} {level:g}", metric, *values, test.text()))
    up, down = (sum(test.sign == sign for test in tests.values()) for sign in (1, -1))
    ours = f"mixed is significantly better at {up}, worse at {down} of {len(rows)} measured; {len(tests)} are asked"
    columns = ("task", "level", "metric", "at the level", "mixed", "mixed - at the level")
    return Finding(
        "mixed", ours if rows else UNMEASURED, verdict_of(tests.values()), (Table(columns, tuple(rows)),), tests
    )


def improvement(evidence: Evidence, task: str, than: Sequence[ResultCell], cells: Sequence[ResultCell]) -> Estimate:
    """Return by how much the experiments `cells` are better than the experiments `than`, in the task's metric."""
    metric, up = METRICS[task]
    sign = 1 if up else -1
    return evidence.estimate(lambda a, b: sign * (b - a), (than, metric), (cells, metric))


def _gain(task: str) -> Any:
    """Return the formula of the study's gain, which takes the values of the pretrained and the retrained model."""
    if METRICS[task][1]:
        return lambda before, after: (after - before) / after
    return lambda before, after: (before - after) / before
