"""Recommends the cheapest level of each codec whose loss stays within a limit.

The levels of a ladder are tested from mild to strong, up to the first level that does not hold: a level holds if the
bound on its drop is within the limit. Each level is tested at the full confidence, because the order of the tests is
fixed in advance and the tests stop at the first failure (the fixed-sequence procedure; Maurer, Hothorn and Lehmacher
1995). For one ladder, the probability that the recommended level loses more than the limit is about 1 - confidence at
most. This is not true for several ladders together.

A level without any drop may be undecided because there are too few samples. Such a level does not stop the tests: if a
stronger level holds, the milder one is acceptable too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.decide.cost import Camera, Cost, cost_of
from harness.decide.limit import percent
from harness.decide.within_limit import Bound, binomial_bound
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
    """The test of one compression level against the limit, and the level's cost.

    Args:
        level: the level; None for a codec without levels.
        bound: the result of testing the drop against the limit.
        cost: the cost of the level.
        samples: the number of samples that the test used.
        groups: the number of groups of these samples.
        experiment: the experiment's key.
    """

    level: float | None
    bound: Bound
    cost: Cost
    samples: int
    groups: int
    experiment: str

    @property
    def samples_needed(self) -> int | None:
        """The number of samples that would decide the test, if the mean size of the groups stays the same."""
        needed = self.bound.groups_needed
        return None if needed is None or not self.groups else math.ceil(needed * self.samples / self.groups)


@dataclass(frozen=True)
class Recommendation:
    """The recommended compression level of one ladder (one codec and one kind of training).

    Args:
        ladder: the ladder: a codec, and a kind of training.
        metric: the metric whose drop was tested.
        limit: the largest drop that is allowed.
        confidence: the confidence level of the bounds.
        chosen: the cheapest level that holds; None if no level was found to hold.
        next: the next cheaper level, which does not hold; None if all levels hold. It can be a level without any drop
            on too few samples; there can be more such levels after it.
        notes: notes for the reader, one sentence each.
        all_fail: whether every level of the ladder is beyond the limit for sure.
    """

    ladder: Ladder
    metric: str
    limit: Limit
    confidence: float
    chosen: Step | None
    next: Step | None
    notes: tuple[str, ...] = ()
    all_fail: bool = False

    @property
    def outcome(self) -> Literal["holds", "none holds", "undecided", "not known"]:
        """What was found: a level that holds; that none does, for sure; neither; or that no level could be tested."""
        if self.chosen:
            return "holds"
        if self.next and self.next.bound.verdict == "unknown":
            return "not known"
        return "none holds" if self.all_fail else "undecided"

    @property
    def why(self) -> str:
        """The reason why the next cheaper level does not hold, as text."""
        step = self.next
        if step is None:
            return "no cheaper level was tested"
        if step.bound.verdict == "unknown":
            return step.bound.reason or "not known"
        value = _amount(step.bound.value, self.limit.relative)
        measured = _amount(step.bound.share if self.limit.relative else step.bound.drop.value, self.limit.relative)
        if measured.startswith("-"):
            change = f"gains {measured[1:]}, but perhaps loses up to {value}"
        else:
            change = f"loses {measured}, perhaps up to {value}"
        if step.bound.verdict == "fails":
            return f"loses {measured}: beyond {self.limit.words}, surely"
        if step.samples_needed is None:
            return f"{change}: undecided, and as measured it is beyond {self.limit.words}"
        return f"{change}: undecided on {step.samples} samples; about {_rounded(step.samples_needed)} would do"


def recommend(
    case: Case,
    judge: Judge,
    limit: Limit,
    metric: str | None = None,
    confidence: float = 0.95,
    camera: Camera = _ANY,
) -> list[Recommendation]:
    """Recommend a compression level for each ladder (codec and kind of training) of a case.

    Args:
        case: the case; without a baseline no level can be tested.
        judge: a judge of `harness.decide.judges`, which tests a level.
        limit: the largest drop that is allowed.
        metric: the metric whose drop is tested; None for the task's primary metric. Ladders without this metric are
            left out.
        confidence: the confidence level of the one-sided bounds.
        camera: the camera whose data rate is predicted.
    """
    return [
        _walk_ladder(case.baseline, ladder, _mildest(case, ladder), judge, _Criteria(limit, name, confidence, camera))
        for ladder in case.ladders
        if (name := metric or _primary(ladder)) and any(name in cell.metrics for cell in ladder.cells)
    ]


def _primary(ladder: Ladder) -> str | None:
    return next((name for cell in ladder.cells for name, metric in cell.metrics.items() if metric.is_primary), None)


@dataclass(frozen=True)
class _Criteria:
    """The settings of the tests, which are the same for all levels of a ladder."""

    limit: Limit
    metric: str
    confidence: float
    camera: Camera


def _mildest(case: Case, ladder: Ladder) -> ResultCell:
    """Return the experiment at the codec's mildest level, over all ladders of the codec.

    The ladders of retrained models often lack this level, because models are not retrained at it.
    """
    cells = [cell for candidate in case.ladders if candidate.codec == ladder.codec for cell in candidate.cells]
    return max(cells, key=lambda cell: cell.facts["bpp"] or 0.0)


def _walk_ladder(
    baseline: ResultCell | None, ladder: Ladder, mildest: ResultCell, judge: Judge, criteria: _Criteria
) -> Recommendation:
    chosen: Step | None = None
    next_cheaper: Step | None = None
    settings = (ladder, criteria.metric, criteria.limit, criteria.confidence)
    steps = (_step(baseline, cell, mildest, judge, criteria) for cell in ladder.cells)
    for step in steps:
        if step.bound.verdict == "holds":
            chosen, next_cheaper = step, None
            continue
        next_cheaper = next_cheaper or step
        if not step.bound.is_unmoved:  # an undecided level without any drop does not stop the walk
            break
    # The other levels are tested only to know whether all are beyond the limit: none of them can be chosen any more.
    first_fails = chosen is None and next_cheaper is not None and next_cheaper.bound.verdict == "fails"
    all_fail = first_fails and all(step.bound.verdict == "fails" for step in steps)
    notes = _notes(ladder, chosen or next_cheaper, criteria.confidence)
    return Recommendation(*settings, chosen, next_cheaper, notes, all_fail)


def _step(
    baseline: ResultCell | None, cell: ResultCell, mildest: ResultCell, judge: Judge, criteria: _Criteria
) -> Step:
    level, key, metric = cell.facts["level"], cell.facts["experiment"], criteria.metric
    cost = cost_of(cell, mildest, criteria.camera)
    reason = None
    if baseline is None:
        reason = "there is no experiment on uncompressed frames to compare with"
    elif metric not in cell.metrics or metric not in baseline.metrics:
        reason = f"{metric} was not computed when this experiment was finished"
    elif not _is_restrictive(criteria.limit, baseline.metrics[metric]):
        reason = f"the limit lets all of the uncompressed {metric} of {baseline.metrics[metric].value:.3g} be lost"
        reason += "" if criteria.limit.relative else "; a share of it is written with %"
    if reason or baseline is None:
        return Step(level, Bound("unknown", reason=reason), cost, 0, 0, key)
    bound, samples, groups = judge(cell, baseline, metric, criteria.limit, criteria.confidence)
    return Step(level, bound, cost, samples, groups, key)


def _is_restrictive(limit: Limit, base: MeasuredMetric) -> bool:
    """Return whether the limit excludes any values of the metric.

    A limit excludes nothing if the metric may fall from its uncompressed value to 0, and 0 is its worst value.
    """
    value = base.value
    if not base.higher_is_better or value is None or value < 0 or (limit.relative and value == 0):
        return True  # for an uncompressed value of 0, the judge reports that there is no share of it
    return limit.allowed(value) < value


def _notes(ladder: Ladder, step: Step | None, confidence: float) -> tuple[str, ...]:
    notes = []
    if step and 0 < step.samples < HOLDS_FROM:
        notes.append(f"{_count(step.samples, 'sample')} (below {HOLDS_FROM}): too few to be sure that the bounds hold.")
    if step and 0 < step.groups < GROUPS_FROM:
        notes.append(
            f"{_count(step.groups, 'group')} of samples (below {GROUPS_FROM}): too few to be sure that the bounds hold."
        )
    if step and step.groups > 1 and step.bound.unmoved:
        cell = next(cell for cell in ladder.cells if cell.facts["experiment"] == step.experiment)
        finding = f"{ladder.name}: the drop is 0 without any spread"
        unseen = f"up to {binomial_bound(step.groups, confidence):.1%} of all"
        if step.bound.value:
            notes.append(
                f"{finding}; its bound is that of a loss that none of {step.groups} groups has (binomial; of AP, and "
                "of means over classes, at least that)."
            )
        elif not cell.is_lossless:
            notes.append(
                f"{finding}, as if none of {step.groups} groups had changed. Unless nothing was lost, {unseen} may "
                f"still ({100 * confidence:.10g}% sure)."
            )
    if ladder.codec.endswith("(intra)"):
        notes.append("(intra): a video codec coded single images, which is not what a camera sends.")
    if ladder.seeds > 1:
        notes.append(f"{ladder.name}: of {ladder.seeds} seeds of the training the first was judged.")
    if ladder.is_matched:
        notes.append("matched: each level has a model of its own, retrained at it.")
    return tuple(notes)


def _rounded(number: int) -> int:
    """Round a number up to two significant digits, because it is an estimate.

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
