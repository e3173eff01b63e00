"""Intervals of metrics that are a share of frames: each frame is right (1) or wrong (0), as for top-1.

The standard error of a share says little where few frames are wrong: of 66 frames that are all right it is 0. So these
intervals come from the counts.

- A share has Clopper and Pearson's interval (Biometrika 26, 1934).
- A drop between two experiments on the same frames has Tango's score interval (Statistics in Medicine 17, 1998), which
  uses only the frames that are right in one experiment and wrong in the other.
- A drop as a share of the baseline is judged by the score test of a ratio of paired shares (Tang, Tang and Chan,
  Statistics in Medicine 22, 2003).

Frames of one group are alike, so they count as fewer: all counts are divided by the *design effect*, the variance of
the share over that of as many independent frames (Korn and Graubard, Survey Methodology 24, 1998). It is estimated from
the groups' sums. Where few frames differ this estimate is as unsure as the share, so that a group or a part of one is
added to it, whose frames are strongly correlated. They alone decide if no frame differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.quantiles import CONFIDENCE, beta_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "UNSEEN_OF_BOUND",
    "UNSEEN_OF_DROP",
    "Hits",
    "Pairs",
    "drop_interval",
    "paired",
    "score",
    "share_interval",
    "tango",
    "upper_share_lost",
]

UNSEEN_OF_SHARE = (0.5, 0.75)
"""The number of groups that are added to the estimate of a share's design effect, and the correlation inside them."""
UNSEEN_OF_DROP = (1.0, 0.55)
"""The same for the interval of a drop."""
UNSEEN_OF_BOUND = (1.0, 1.0)
"""The same for a bound of a drop, whose one side alone must hold: it decides whether a level is recommended."""
LATTICE = 0.25
"""The largest part of a frame by which the interval of a share is narrower than Clopper and Pearson's for the effective
counts. For frames without groups it is 0. The design effect makes the counts finer than whole frames."""
CORRECTION = 0.125
"""The continuity correction of a drop, in frames. Without it, a drop of .02 on 200 frames is held in 93.2%."""
CORRECTION_OF_BOUND = 0.25
"""The same for a bound of a drop. With it, a bound of 95% is too low in at most 4.9% (all samples of 30 to 1,000 frames
were enumerated); with an eighth of a frame, in 5.5%."""

_BISECTIONS = 60


@dataclass(frozen=True)
class Hits:
    """Which frames are right, for a metric that is the share of right frames.

    Args:
        frames: int64[K]: the indices of the frames that count (for a class: those of the class).
        right: bool[K]: whether each of them is right.
        groups: int64[K]: the number of the group of each of them.
    """

    frames: NDArray[np.int64] = field(repr=False)
    right: NDArray[np.bool_] = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)

    @property
    def share(self) -> float:
        """The share of right frames; NaN if no frame counts."""
        return float(self.right.mean()) if len(self.right) else math.nan


@dataclass(frozen=True)
class Pairs:
    """How often each of two experiments is right in the same frames: effective numbers of frames.

    Args:
        both: frames that are right in both.
        lost: frames that are right only in the baseline.
        gained: frames that are right only in the other experiment.
        neither: frames that are right in none.
        frames: the number of real frames that stand behind one effective frame (the design effect).
    """

    both: float
    lost: float
    gained: float
    neither: float
    frames: float

    @property
    def total(self) -> float:
        """The effective number of frames."""
        return self.both + self.lost + self.gained + self.neither


def design_effect(deviations: NDArray[np.float64], groups: NDArray[np.int64], unseen: tuple[float, float]) -> float:
    """Return how many times larger the variance of a mean is than that of as many independent frames.

    It is at least 1, and at most the number of frames in the group of a frame (on average over the frames).

    Args:
        deviations: float64[K]: the deviation of each frame's number from the mean.
        groups: int64[K]: the number of the group of each frame.
        unseen: the number of groups to add, in which each frame deviates by 1, and the correlation inside them.
    """
    sizes = np.bincount(groups)
    count, size = int((sizes > 0).sum()), float((sizes**2).sum() / len(groups))
    if count < 2 or size == 1:
        return size
    of_groups = float((np.bincount(groups, deviations) ** 2).sum()) * count / (count - 1)
    of_frames = float((deviations**2).sum())
    added, correlation = unseen
    of_groups, of_frames = of_groups + added * size * (1 + (size - 1) * correlation), of_frames + added * size
    return min(size, max(1.0, of_groups / of_frames))


def share_interval(hits: Hits, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a share of right frames; at least one frame counts.

    >>> alone = Hits(np.arange(66), np.ones(66, bool), np.arange(66))
    >>> [round(end, 3) for end in share_interval(alone)]
    [0.946, 1.0]
    """
    share, frames = hits.share, len(hits.right)
    effect = design_effect(hits.right.astype(np.float64) - share, hits.groups, UNSEEN_OF_SHARE)
    finer = min(LATTICE, (1 - 1 / effect) / 2)
    right, wrong, tail = share * frames / effect, (1 - share) * frames / effect, (1 - confidence) / 2
    low = beta_quantile(tail, right + finer, wrong + 1 - finer) if share > 0 else 0.0
    high = beta_quantile(1 - tail, right + 1 - finer, wrong + finer) if share < 1 else 1.0
    return low, high


def paired(hits: Hits, baseline: Hits, share_lost: float = 0.0, unseen: tuple[float, float] = UNSEEN_OF_DROP) -> Pairs:
    """Return how often two experiments are right in the same frames.

    Args:
        hits: the frames that are right in an experiment.
        baseline: those of its baseline, on the same frames.
        share_lost: the share of the baseline's right frames that is compared with the drop; 0 for the drop alone.
        unseen: what is added to the estimate of the design effect (`design_effect`).
    """
    drops = baseline.right.astype(np.float64) - hits.right - share_lost * baseline.right
    effect = design_effect(drops - drops.mean(), hits.groups, unseen)
    both = float((baseline.right & hits.right).sum())
    lost, gained = float((baseline.right & ~hits.right).sum()), float((hits.right & ~baseline.right).sum())
    neither = len(drops) - both - lost - gained
    return Pairs(both / effect, lost / effect, gained / effect, neither / effect, effect)


def drop_interval(pairs: Pairs, confidence: float = CONFIDENCE, bound: bool = False) -> tuple[float, float]:
    """Return the interval of a drop; positive if frames were lost.

    It is Tango's. If no frame was gained, its upper end is at least Clopper and Pearson's bound of the share of frames
    that are lost, because Tango's is too low where few frames are lost (the lower end likewise).

    Args:
        pairs: how often the two experiments are right in the same frames.
        confidence: the confidence level of the two-sided interval.
        bound: whether each end must hold alone.
    """
    reach, tail = NormalDist().inv_cdf((1 + confidence) / 2), (1 - confidence) / 2
    correction = (CORRECTION_OF_BOUND if bound else CORRECTION) / pairs.frames
    drop = (pairs.lost - pairs.gained) / pairs.total
    counts = (pairs.lost, pairs.gained, pairs.total)
    low = _crossing(lambda at: tango(*counts, at, correction) <= reach, drop, -1.0)
    high = _crossing(lambda at: tango(*counts, at, correction) >= -reach, drop, 1.0)
    if not pairs.lost:
        low = min(low, -_clopper_pearson(pairs.gained, pairs.total, tail))
    if not pairs.gained:
        high = max(high, _clopper_pearson(pairs.lost, pairs.total, tail))
    return low, high


def _clopper_pearson(count: float, total: float, tail: float) -> float:
    """Return the upper bound of a share."""
    return beta_quantile(1 - tail, count + 1, total - count) if count < total else 1.0


def tango(lost: float, gained: float, total: float, drop: float, correction: float = 0.0) -> float:
    """Return Tango's score statistic, about standard normal if the true drop is `drop`.

    Args:
        lost: the number of frames that are right only in the baseline.
        gained: the number of frames that are right only in the other experiment.
        total: the number of frames.
        drop: the hypothetical drop, between -1 and 1.
        correction: a continuity correction: the number of frames by which the observed drop moves towards `drop`.
    """
    a, b, c = 2 * total, (2 * total - lost + gained) * drop - lost - gained, -gained * drop * (1 - drop)
    likely = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    excess = lost - gained - total * drop
    return _statistic(excess, correction, total * (2 * likely + drop * (1 - drop)))


def upper_share_lost(hits: Hits, baseline: Hits, confidence: float) -> float:
    """Return the upper end of the interval of a drop as a share of the baseline's value.

    Args:
        hits: the frames that are right in an experiment.
        baseline: those of its baseline, on the same frames; at least one is right.
        confidence: the confidence level of the two-sided interval.
    """
    share = 1 - float(hits.right.sum()) / float(baseline.right.sum())
    pairs = paired(hits, baseline, share, UNSEEN_OF_BOUND)
    counts, correction = (pairs.both, pairs.lost, pairs.gained, pairs.neither), CORRECTION_OF_BOUND / pairs.frames
    reach = NormalDist().inv_cdf((1 + confidence) / 2)

    def holds(at: float) -> bool:
        return score((-at, 1 - at, -1.0, 0.0), counts, correction) >= -reach

    high = _crossing(holds, share, 1 - 1e-12) if share < 1 else 1.0
    if not pairs.gained:
        high = max(high, _clopper_pearson(pairs.lost, pairs.both + pairs.lost, (1 - confidence) / 2))
    return high


def score(scores: Sequence[float], counts: Sequence[float], correction: float = 0.0) -> float:
    """Return the score statistic of the hypothesis that the mean of a frame's score is 0.

    The probabilities of the scores are those of largest likelihood under the hypothesis. With Lagrange's multiplier l
    they are count / (total (1 + l score)); a score that did not occur gets the rest if l reaches the end of its range.

    Args:
        scores: the possible scores of a frame; some are positive, some negative.
        counts: how often each occurred.
        correction: a continuity correction: the sum of scores by which the observed sum moves towards 0.
    """
    total, observed = sum(counts), sum(s * n for s, n in zip(scores, counts, strict=True))
    low, high = -1 / max(scores), -1 / min(scores)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rest = sum(s * n / (1 + middle * s) for s, n in zip(scores, counts, strict=True) if n)
        low, high = (middle, high) if rest > 0 else (low, middle)
    multiplier = (low + high) / 2
    likely = [n / (total * (1 + multiplier * s)) if n else 0.0 for s, n in zip(scores, counts, strict=True)]
    likely[scores.index(max(scores) if observed < 0 else min(scores))] += max(0.0, 1 - sum(likely))
    return _statistic(observed, correction, total * sum(p * s * s for p, s in zip(likely, scores, strict=True)))


def _statistic(excess: float, correction: float, variance: float) -> float:
    distance = math.copysign(max(0.0, abs(excess) - correction), excess)
    if not distance or variance <= 0:
        return distance and math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _crossing(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return where a condition stops to hold, between a place inside, where it holds, and the end of the range."""
    if holds(outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside
