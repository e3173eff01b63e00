"""How far a codec can go: its ladder walked from mild to strong, up to the first level that does not hold.

Each level is tested at the full confidence, since the order of the tests is fixed beforehand and the walk stops at the
first that fails (the fixed-sequence procedure; Maurer, Hothorn and Lehmacher 1995): the chance that the recommended
level loses more than the limit is at most 1 - confidence for one ladder. It is not over several ladders at once. A
level at which nothing at all was lost, on too few samples to be sure, is passed over: a stronger one that holds speaks
for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.decide.bound import Bound, binomial_bound
from harness.decide.cost import Camera, Cost, cost_of
from harness.decide.limit import percent
from harness.statistics.intervals import GROUPS_FROM, HOLDS_FROM

if TYPE_CHECKING:
    from harness.decide.judges import Judge
    from harness.decide.limit import Limit
    from harness.results.cells import MeasuredMetric, ResultCell
    from harness.results.ladders import Case, Ladder

__all__ = ["Recommendation", "Step", "recommend"]


_ANY = Camera()


@dataclass(frozen=True)
class Step:
    """One level of a walk.

    Args:
        level: None for a codec without levels.
        bound: its drop against the limit.
        cost: what it costs.
        samples: on how many samples it was judged.
        groups: on how many groups of them.
        experiment: its key.
    """

    level: float | None
    bound: Bound
    cost: Cost
    samples: int
    groups: int
    experiment: str

    @property
    def samples_needed(self) -> int | None:
        """How many samples would decide, if groups have as many as here."""
        needed = self.bound.groups_needed
        return None if needed is None or not self.groups else math.ceil(needed * self.samples / self.groups)


@dataclass(frozen=True)
class Recommendation:
    """How far one ladder can go.

    Args:
        ladder: the codec, and how the model was trained.
        metric: by which it was judged.
        limit: the largest drop that was allowed.
        confidence: of the bounds.
        chosen: the cheapest level that holds; None where the mildest does not.
        next: the next cheaper level, which does not hold; None where all do. Beyond it there may be levels at which
            nothing was lost, on too few samples to be sure.
        notes: what is to be known of it, a sentence each.
    """

    ladder: Ladder
    metric: str
    limit: Limit
    confidence: float
    chosen: Step | None
    next: Step | None
    notes: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Why the next cheaper level does not hold."""
        step = self.next
        if step is None:
            return "no cheaper level was tested"
        if step.bound.verdict == "unknown":
            return step.bound.reason or "not known"
        value = _amount(step.bound.value, self.limit.relative)
        measured = _amount(step.bound.share if self.limit.relative else step.bound.drop.value, self.limit.relative)
        if measured.startswith("-"):
            told = f"gains {measured[1:]}, but perhaps loses up to {value}"
        else:
            told = f"loses {measured}, perhaps up to {value}"
        if step.bound.verdict == "fails":
            return f"loses {measured}: beyond {self.limit.words}, surely"
        if step.samples_needed is None:
            return f"{told}: undecided, and as measured it is beyond {self.limit.words}"
        return f"{told}: undecided on {step.samples} samples; about {_rounded(step.samples_needed)} would do"


def recommend(
    case: Case,
    judge: Judge,
    limit: Limit,
    metric: str | None = None,
    confidence: float = 0.95,
    camera: Camera = _ANY,
) -> list[Recommendation]:
    """A recommendation for each ladder of a case.

    Args:
        case: the experiments; without a baseline none of them can be judged.
        judge: of `harness.decide.judges`.
        limit: the largest drop allowed.
        metric: by which to judge; None: the task's primary one. Ladders without it are left out.
        confidence: of the one-sided bounds.
        camera: what is to be sent.
    """
    return [
        _walked(case.baseline, ladder, _mildest(case, ladder), judge, _Criteria(limit, name, confidence, camera))
        for ladder in case.ladders
        if (name := metric or _primary(ladder)) and any(name in cell.metrics for cell in ladder.cells)
    ]


def _primary(ladder: Ladder) -> str | None:
    return next((name for cell in ladder.cells for name, one in cell.metrics.items() if one.is_primary), None)


@dataclass(frozen=True)
class _Criteria:
    """What is asked of each ladder."""

    limit: Limit
    metric: str
    confidence: float
    camera: Camera


def _mildest(case: Case, ladder: Ladder) -> ResultCell:
    """The codec's mildest level, whatever model was tested at it: models are not retrained at that one."""
    cells = [cell for one in case.ladders if one.codec == ladder.codec for cell in one.cells]
    return max(cells, key=lambda cell: cell.facts["bpp"] or 0.0)


def _walked(
    baseline: ResultCell | None, ladder: Ladder, mildest: ResultCell, judge: Judge, asked: _Criteria
) -> Recommendation:
    chosen: Step | None = None
    passed: Step | None = None
    told = (ladder, asked.metric, asked.limit, asked.confidence)
    for cell in ladder.cells:
        step = _step(baseline, cell, mildest, judge, asked)
        if step.bound.verdict == "holds":
            chosen, passed = step, None
            continue
        passed = passed or step
        if not step.bound.is_unmoved:  # where nothing was lost, a stronger level that holds speaks for it
            break
    return Recommendation(*told, chosen, passed, _notes(ladder, chosen or passed, asked.confidence))


def _step(baseline: ResultCell | None, cell: ResultCell, mildest: ResultCell, judge: Judge, asked: _Criteria) -> Step:
    level, key, metric = cell.facts["level"], cell.facts["experiment"], asked.metric
    cost = cost_of(cell, mildest, asked.camera)
    reason = None
    if baseline is None:
        reason = "there is no experiment on uncompressed frames to compare with"
    elif metric not in cell.metrics or metric not in baseline.metrics:
        reason = f"{metric} was not computed when this experiment was finished"
    elif not _limits(asked.limit, baseline.metrics[metric]):
        told = f"the limit lets all of the uncompressed {metric} of {baseline.metrics[metric].value:.3g} be lost"
        reason = told + ("" if asked.limit.relative else "; a share of it is written with %")
    if reason or baseline is None:
        return Step(level, Bound("unknown", reason=reason), cost, 0, 0, key)
    bound, samples, groups = judge(cell, baseline, metric, asked.limit, asked.confidence)
    return Step(level, bound, cost, samples, groups, key)


def _limits(limit: Limit, base: MeasuredMetric) -> bool:
    """Whether there are values that the limit excludes, of a metric that is better when higher and never below 0."""
    value = base.value
    if not base.higher_is_better or value is None or value < 0 or (limit.relative and value == 0):
        return True  # of a share of 0 the bound says that there is none
    return limit.allowed(value) < value


def _notes(ladder: Ladder, step: Step | None, confidence: float) -> tuple[str, ...]:
    notes = []
    if step and 0 < step.samples < HOLDS_FROM:
        notes.append(f"{_count(step.samples, 'sample')} (below {HOLDS_FROM}): too few to be sure that the bounds hold.")
    if step and 0 < step.groups < GROUPS_FROM:
        notes.append(
            f"{_count(step.groups, 'group')} of samples (below {GROUPS_FROM}): too few to be sure that the bounds hold."
        )
    if step and step.groups > 1 and step.bound.drop.low == step.bound.drop.high == 0:
        cell = next(cell for cell in ladder.cells if cell.facts["experiment"] == step.experiment)
        told = f"{ladder.name}: the drop is 0 without any spread"
        unseen = f"up to {binomial_bound(step.groups, confidence):.1%} of all"
        if step.bound.value:
            notes.append(
                f"{told}; its bound is that of a loss that none of {step.groups} groups has (binomial; of AP, and "
                "of means over classes, at least that)."
            )
        elif not cell.is_lossless:
            notes.append(
                f"{told}, as if none of {step.groups} groups had changed. Unless nothing was lost, {unseen} may still "
                f"({100 * confidence:.10g}% sure)."
            )
    if ladder.codec.endswith("(intra)"):
        notes.append("(intra): a video codec coded single images, which is not what a camera sends.")
    if ladder.seeds > 1:
        notes.append(f"{ladder.name}: of {ladder.seeds} seeds of the training the first was judged.")
    if ladder.is_matched:
        notes.append("matched: each level has a model of its own, retrained at it.")
    return tuple(notes)


def _rounded(number: int) -> int:
    """Up to two digits: it is an estimate.

    >>> _rounded(576), _rounded(77_611), _rounded(61)
    (580, 78000, 61)
    """
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _amount(value: float | None, relative: bool) -> str:
    if value is None:
        return "an unknown amount"
    return percent(value) if relative else f"{value:.3g}"
