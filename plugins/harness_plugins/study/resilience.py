"""Claims about which networks withstand compression, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.pages import Table
from harness.statistics.estimate import Estimate
from harness_plugins.study.evidence import Evidence
from harness_plugins.study.finding import UNMEASURED, Finding, verdict_of
from harness_plugins.study.model_results import ModelResults
from harness_plugins.study.published import published_tables
from harness_plugins.study.shape import METRICS, loss_from_top, study_values

if TYPE_CHECKING:
    from harness.results.cells import ResultCell

__all__ = ["backbones", "encoder_decoders", "upsamplings"]

_STRONG = (15.0, 10.0, 5.0)
"""The levels of JPEG (qualities) that the study calls strong."""
_DECODERS = ("segmentation", "depth")
"""The tasks whose networks have an encoder and a decoder."""
_OTHERS = ("detection", "pose")
"""The tasks that these are compared with."""


def encoder_decoders(evidence: Evidence) -> Finding:
    """Test the claim that encoder-decoder networks (segmentation, depth) lose less than those of detection and pose."""
    rows: list[tuple[str, ...]] = []
    for task in (*_DECODERS, *_OTHERS):
        subject, values, study = evidence.main(task), study_values(task), published_tables()[task]
        cells: list[str] = []
        for level in _STRONG:
            theirs = loss_from_top(task)(values[0], values[study.levels.index(level)])
            top, here = subject.pretrained("jpeg", study.levels[0]), subject.pretrained("jpeg", level)
            cells += [f"{100 * theirs:.1f}%", _loss(evidence, task, top, here).text(percent=True)]
        rows.append((task, METRICS[task][0], *cells))
    pairs = [(evidence.main(decoder), evidence.main(other)) for other in _OTHERS for decoder in _DECODERS]
    tests = [
        _loss_difference(evidence, *pair, _STRONG[-1], top=lambda subject: subject.pretrained("jpeg", 95.0))
        for pair in pairs
    ]
    named = {f"{a.task} - {b.task}": test for (a, b), test in zip(pairs, tests, strict=True)}
    texts = [f"{name} {(-test).text(percent=True)}" for name, test in named.items()]
    ours = f"differences of the losses at quality {_STRONG[-1]:g}: {'; '.join(texts)}"
    heads = (head for level in _STRONG for head in (f"study: {level:g}", f"{level:g}"))
    return Finding(
        "encoder_decoders", ours, verdict_of(tests), (Table(("task", "metric", *heads), tuple(rows)),), named
    )


def upsamplings(evidence: Evidence) -> Finding:
    """Test the claim that a SegNet with unpooling loses less than equally trained SegNets with other up-sampling."""
    variants = evidence.variants("segmentation", "upsampling")
    rows = _losses(evidence, variants)
    tests: dict[str, Estimate] = {}
    texts: list[str] = []
    for name in sorted(variants.keys() - {"unpool"}) if "unpool" in variants else ():
        each = [_loss_difference(evidence, variants["unpool"], variants[name], level) for level in _STRONG]
        tests[f"unpool - {name}"] = mean = _loss_difference(evidence, variants["unpool"], variants[name], *_STRONG)
        rows.append((f"unpool - {name}", "", *((-test).text(percent=True) for test in (*each, mean))))
        texts.append(f"unpool - {name} {rows[-1][-1]}")
    ours = f"differences of the mean losses: {'; '.join(texts)}" if texts else UNMEASURED
    columns = ("up-sampling", "mIoU on none", *(f"loss at {level:g}" for level in _STRONG), "mean")
    return Finding("upsamplings", ours, verdict_of(tests.values()), (Table(columns, tuple(sorted(rows))),), tests)


def backbones(evidence: Evidence) -> Finding:
    """Test the claim that a detector on a MobileNet loses more than an equally trained one on another backbone."""
    variants = evidence.variants("detection", "backbone")
    light = [name for name in sorted(variants) if name.startswith("mobilenet")]
    pairs = [(name, other) for name in light for other in sorted(variants) if other not in light]
    tests = {
        f"{name} - {other}": _loss_difference(evidence, variants[other], variants[name], *_STRONG)
        for name, other in pairs
    }
    texts = [f"{name} {test.text(percent=True)}" for name, test in tests.items()]
    ours = f"differences of the mean losses: {'; '.join(texts)}" if texts else UNMEASURED
    columns = ("backbone", "AP50 on none", *(f"loss at {level:g}" for level in _STRONG), "mean")
    table = Table(columns, tuple(_losses(evidence, variants)))
    return Finding("backbones", ours, verdict_of(tests.values()), (table,), tests)


def _losses(evidence: Evidence, variants: Mapping[str, ModelResults]) -> list[tuple[str, ...]]:
    """Return a table row for each variant of a model.

    A row has the name, the value on uncompressed data, the share of that value lost at each strong level, and the mean
    of these shares.
    """
    rows: list[tuple[str, ...]] = []
    for name, subject in sorted(variants.items()):
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


def _loss_difference(
    evidence: Evidence,
    model: ModelResults,
    other: ModelResults,
    *levels: float,
    top: Callable[[ModelResults], Sequence[ResultCell]] = ModelResults.none,
) -> Estimate:
    """Return the mean loss of `other` over some levels of JPEG, minus the mean loss of `model`.

    Each loss is a share of the model's own value at its top.

    Args:
        evidence: the experiments of the databases.
        model: the results of the first model.
        other: the results of the second model.
        levels: the levels.
        top: returns the experiments that a model's losses are relative to; by default those on uncompressed data.
    """
    measures = [
        (cells, METRICS[subject.task][0])
        for subject in (other, model)
        for cells in (top(subject), *(subject.pretrained("jpeg", level) for level in levels))
    ]
    other_loss, model_loss = (_mean_of(loss_from_top(subject.task)) for subject in (other, model))
    half = 1 + len(levels)
    return evidence.estimate(lambda *values: other_loss(*values[:half]) - model_loss(*values[half:]), *measures)


def _mean_of(loss: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return the formula of the mean loss over some levels; it takes the value at the top, then the values there."""
    return lambda top, *values: sum(loss(top, value) for value in values) / len(values)
