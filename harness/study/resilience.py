"""Claims about which networks withstand compression, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.results.tables.text import Table
from harness.statistics.estimate import Estimate
from harness.study.evidence import Evidence
from harness.study.finding import UNMEASURED, Finding, judged
from harness.study.published import published
from harness.study.shape import METRICS, loss_from_top, study_values
from harness.study.subject import ModelResults

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["backbones", "encoder_decoders", "upsamplings"]

_STRONG = (15.0, 10.0, 5.0)
"""The levels of JPEG that the study calls strong."""
_DECODERS = ("segmentation", "depth")
_OTHERS = ("detection", "pose")


def encoder_decoders(evidence: Evidence) -> Finding:
    """Whether the networks with a decoder lose less than the two that locate things."""
    rows: list[tuple[str, ...]] = []
    for task in (*_DECODERS, *_OTHERS):
        subject, values, study = evidence.main(task), study_values(task), published()[task]
        cells: list[str] = []
        for level in _STRONG:
            theirs = loss_from_top(task)(values[0], values[study.levels.index(level)])
            top, here = subject.pretrained("jpeg", study.levels[0]), subject.pretrained("jpeg", level)
            cells += [f"{100 * theirs:.1f}%", _loss(evidence, task, top, here).text(percent=True)]
        rows.append((task, METRICS[task][0], *cells))
    pairs = [(evidence.main(one), evidence.main(other)) for other in _OTHERS for one in _DECODERS]
    tests = [
        _spared(evidence, *pair, _STRONG[-1], top=lambda subject: subject.pretrained("jpeg", 95.0)) for pair in pairs
    ]
    named = {f"{a.task} - {b.task}": test for (a, b), test in zip(pairs, tests, strict=True)}
    told = [f"{name} {(-test).text(percent=True)}" for name, test in named.items()]
    ours = f"differences of the losses at quality {_STRONG[-1]:g}: {'; '.join(told)}"
    heads = (head for level in _STRONG for head in (f"study: {level:g}", f"{level:g}"))
    return Finding("encoder_decoders", ours, judged(tests), (Table(("task", "metric", *heads), tuple(rows)),), named)


def upsamplings(evidence: Evidence) -> Finding:
    """Whether SegNet with unpooling loses less than with other up-samplings, trained equally."""
    found = evidence.variants("segmentation", "upsampling")
    rows = _losses(evidence, found)
    tests: dict[str, Estimate] = {}
    told: list[str] = []
    for name in sorted(found.keys() - {"unpool"}) if "unpool" in found else ():
        each = [_spared(evidence, found["unpool"], found[name], level) for level in _STRONG]
        tests[f"unpool - {name}"] = mean = _spared(evidence, found["unpool"], found[name], *_STRONG)
        rows.append((f"unpool - {name}", "", *((-test).text(percent=True) for test in (*each, mean))))
        told.append(f"unpool - {name} {rows[-1][-1]}")
    ours = f"differences of the mean losses: {'; '.join(told)}" if told else UNMEASURED
    columns = ("up-sampling", "mIoU on none", *(f"loss at {level:g}" for level in _STRONG), "mean")
    return Finding("upsamplings", ours, judged(tests.values()), (Table(columns, tuple(sorted(rows))),), tests)


def backbones(evidence: Evidence) -> Finding:
    """Whether detectors on a MobileNet lose more than on another backbone, trained equally."""
    found = evidence.variants("detection", "backbone")
    light = [name for name in sorted(found) if name.startswith("mobilenet")]
    pairs = [(one, other) for one in light for other in sorted(found) if other not in light]
    tests = {f"{one} - {other}": _spared(evidence, found[other], found[one], *_STRONG) for one, other in pairs}
    told = [f"{name} {test.text(percent=True)}" for name, test in tests.items()]
    ours = f"differences of the mean losses: {'; '.join(told)}" if told else UNMEASURED
    columns = ("backbone", "AP50 on none", *(f"loss at {level:g}" for level in _STRONG), "mean")
    table = Table(columns, tuple(_losses(evidence, found)))
    return Finding("backbones", ours, judged(tests.values()), (table,), tests)


def _losses(evidence: Evidence, found: Mapping[str, ModelResults]) -> list[tuple[str, ...]]:
    """A row for each variant: its value on uncompressed data, and what share of it is lost at each strong level."""
    rows: list[tuple[str, ...]] = []
    for name, subject in sorted(found.items()):
        none = subject.none()
        metric, loss = METRICS[subject.task][0], loss_from_top(subject.task)
        levels = [(subject.pretrained("jpeg", level), metric) for level in _STRONG]
        losses = [evidence.estimate(loss, (none, metric), cells) for cells in levels]
        losses.append(evidence.estimate(_mean_of(loss), (none, metric), *levels))
        start = evidence.value(none, metric).text()
        rows.append((name, start, *(loss.text(percent=True) for loss in losses)))
    return rows


def _loss(evidence: Evidence, task: str, top: Sequence[ResultCell], cells: Sequence[ResultCell]) -> Estimate:
    metric = METRICS[task][0]
    return evidence.estimate(loss_from_top(task), (top, metric), (cells, metric))


def _spared(
    evidence: Evidence,
    one: ModelResults,
    other: ModelResults,
    *levels: float,
    top: Callable[[ModelResults], Sequence[ResultCell]] = ModelResults.none,
) -> Estimate:
    """By how much less one loses than the other, the mean over some levels, in shares of what each has at its top."""
    measures = [
        (cells, METRICS[subject.task][0])
        for subject in (other, one)
        for cells in (top(subject), *(subject.pretrained("jpeg", level) for level in levels))
    ]
    more, less = (_mean_of(loss_from_top(subject.task)) for subject in (other, one))
    half = 1 + len(levels)
    return evidence.estimate(lambda *values: more(*values[:half]) - less(*values[half:]), *measures)


def _mean_of(loss: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The formula of the mean loss at some levels: of the top's value and theirs."""
    return lambda top, *values: sum(loss(top, value) for value in values) / len(values)
