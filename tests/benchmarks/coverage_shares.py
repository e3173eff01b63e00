"""How often 95% intervals of shares of right frames (top-1), and of their drops, hold the true value: a simulation.

    python tests/benchmarks/coverage_shares.py --simulations 200      # a look
    python tests/benchmarks/coverage_shares.py                        # 2,000 simulations a case, on one core

The sibling of coverage.py (detection) and coverage_tasks.py. Nothing is drawn from a finite population: the true share
is the probability of a right frame. Frames are alone, or in groups of five with a correlation of .5 inside a group
(`copies`: each frame copies the group's outcome with probability sqrt(.5); `beta`: a group has a probability of its
own, by a beta or Dirichlet distribution).

Beside the harness's intervals stand those that it had before (value and t standard errors), and textbook intervals that
are told the design effect, which no method can know: Wilson's and Clopper and Pearson's for a share, Tango's and
Newcombe's for a drop. The best valid method is the narrowest of these that holds in at least 93%; the column "width"
divides the harness's mean width by its.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.stats import beta
from scipy.stats import t as student_t

from harness.statistics.proportions import (
    UNSEEN_OF_BOUND,
    UNSEEN_OF_DROP,
    Hits,
    Pairs,
    drop_interval,
    paired,
    share_interval,
    tango,
)

Floats = np.ndarray
Ends = tuple[Floats, Floats]

COUNTS = (66, 160, 200, 1000)
SHARES = (0.5, 0.8, 0.9, 0.95, 0.97, 0.99)
DROPS = (0.0, 0.005, 0.01, 0.02, 0.05)
DIFFERING = (0.02, 0.1)
GROUP = 5
CORRELATION = 0.5
VALID = 0.93
REACH = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Kind:
    """How frames go together: frames a group, and how the frames of a group are drawn."""

    name: str
    group: int
    draw: Callable[[np.random.Generator, Floats, tuple[int, int, int]], Floats]

    @property
    def effect(self) -> float:
        """The true design effect."""
        return 1 + (self.group - 1) * CORRELATION if self.group > 1 else 1.0


def copies(rng: np.random.Generator, cells: Floats, shape: tuple[int, int, int]) -> Floats:
    """Outcomes 0, 1, ... with probabilities `cells`, int64[simulations, groups, frames]."""
    luck = rng.random(shape)
    if shape[2] > 1:
        luck = np.where(rng.random(shape) < math.sqrt(CORRELATION), rng.random((*shape[:2], 1)), luck)
    return np.searchsorted(np.cumsum(cells)[:-1], luck, side="right")


def of_beta(rng: np.random.Generator, cells: Floats, shape: tuple[int, int, int]) -> Floats:
    """As `copies`, from probabilities that every group draws for itself."""
    strength = (1 - CORRELATION) / CORRELATION
    own = rng.gamma(np.maximum(cells * strength, 1e-9), size=(*shape[:2], len(cells)))
    limits = np.cumsum(own / np.maximum(own.sum(axis=2, keepdims=True), 1e-300), axis=2)[:, :, None, :-1]
    return (rng.random(shape)[..., None] >= limits).sum(axis=3)


KINDS = (
    Kind("alone", 1, copies),
    Kind("groups of five, copies", GROUP, copies),
    Kind("groups of five, beta", GROUP, of_beta),
)


@dataclass(frozen=True)
class Outcome:
    """What one method's intervals do in a case: how often they hold the truth, and how wide they are on average."""

    held: float
    width: float

    @classmethod
    def of(cls, ends: Ends, truth: float) -> Outcome:
        low, high = ends
        return cls(float(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).mean()), float((high - low).mean()))

    def __str__(self) -> str:
        return f"{self.held:.1%} ({self.width:.3f})"


def student_ends(of_groups: Floats, size: int, bounds: tuple[float, float]) -> Ends:
    """The intervals of version 0.1.0: the mean and t standard errors, from the groups' means float64[S, G]."""
    groups = of_groups.shape[1]
    value, error = of_groups.mean(axis=1), of_groups.std(axis=1, ddof=1) / math.sqrt(groups)
    reach = student_t.ppf(0.975, groups - 1) * error
    return np.maximum(bounds[0], value - reach), np.minimum(bounds[1], value + reach)


def wilson(right: Floats, total: float) -> Ends:
    share, z = right / total, REACH
    middle = (share + z * z / total / 2) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / total / total / 4)
    return middle - half, middle + half


def clopper_pearson(right: Floats, total: float) -> Ends:
    low, high = beta.ppf(0.025, right, total - right + 1), beta.ppf(0.975, right + 1, total - right)
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)


def newcombe(cells: Floats) -> Ends:
    """Newcombe's square-and-add interval of a drop (method 10, Statistics in Medicine 17, 1998).

    Args:
        cells: float64[S, 4]: frames that are right in both, in the baseline only, in the other only, in none.
    """
    both, lost, gained, neither = cells.T
    total = cells.sum(axis=1)
    first, second = both + lost, both + gained
    (low1, high1), (low2, high2) = wilson(first, total[0]), wilson(second, total[0])
    product = first * (total - first) * second * (total - second)
    excess = both * neither - lost * gained
    corrected = np.where(excess > total / 2, excess - total / 2, np.where(excess < 0, excess, 0.0))
    phi = np.where(product > 0, corrected / np.sqrt(np.maximum(product, 1e-300)), 0.0)
    one, two = first / total, second / total
    below = (one - low1) ** 2 - 2 * phi * (one - low1) * (high2 - two) + (high2 - two) ** 2
    above = (two - low2) ** 2 - 2 * phi * (two - low2) * (high1 - one) + (high1 - one) ** 2
    return one - two - np.sqrt(np.maximum(0, below)), one - two + np.sqrt(np.maximum(0, above))


def each(rows: Floats, ends: Callable[[Floats], tuple[float, float]]) -> Ends:
    """Compute the ends of each row once, however often it occurs."""
    different, place = np.unique(rows, axis=0, return_inverse=True)
    found = np.array([ends(row) for row in different])
    return found[place.reshape(-1), 0], found[place.reshape(-1), 1]


def sorted_groups(outcomes: Floats) -> Floats:
    """Sort the frames of each group, and the groups, so that equal samples are equal rows: int64[S, G * frames]."""
    inside = np.sort(outcomes, axis=2)
    code = (inside * 4 ** np.arange(inside.shape[2])).sum(axis=2)
    order = np.argsort(code, axis=1)
    return np.take_along_axis(inside, order[:, :, None], axis=1).reshape(len(outcomes), -1)


def hits_of(right: Floats, group: int) -> Hits:
    return Hits(np.arange(len(right)), np.asarray(right, bool), np.arange(len(right)) // group)


def share_case(kind: Kind, count: int, share: float, simulations: int, seed: int = 0) -> dict[str, Outcome]:
    """The outcome of each method for a share of right frames."""
    rng = np.random.default_rng([seed, count, int(1000 * share)])
    groups = count // kind.group
    right = 1 - kind.draw(rng, np.array([share, 1 - share]), (simulations, groups, kind.group))
    total = groups * kind.group / kind.effect
    known = right.sum(axis=(1, 2)) / kind.effect
    found = {
        "before": student_ends(right.mean(axis=2), kind.group, (0.0, 1.0)),
        "harness": each(sorted_groups(right), lambda row: share_interval(hits_of(row, kind.group))),
        "Wilson": wilson(known, total),
        "Clopper-Pearson": clopper_pearson(known, total),
    }
    return {name: Outcome.of(ends, share) for name, ends in found.items()}


def pairs_of(row: Floats, group: int, unseen: tuple[float, float]) -> Pairs:
    """Effective counts of a row of outcomes: 0 right in both, 1 lost, 2 gained, 3 wrong in both."""
    return paired(hits_of((row == 0) | (row == 2), group), hits_of(row <= 1, group), unseen=unseen)


def drop_case(
    kind: Kind, count: int, drop: float, differing: float, simulations: int, seed: int = 0, share: float = 0.9
) -> tuple[dict[str, Outcome], float]:
    """The outcome of each method for a drop, and how often a one-sided 95% bound is below the true drop."""
    rng = np.random.default_rng([seed, count, int(1000 * drop), int(1000 * differing)])
    groups, lost = count // kind.group, (differing + drop) / 2
    cells = np.array([share - lost, lost, differing - lost, 1 - share - differing + lost])
    outcomes = kind.draw(rng, np.maximum(cells, 0.0), (simulations, groups, kind.group))
    counts = np.stack([(outcomes == cell).sum(axis=(1, 2)) for cell in range(4)], axis=1) / kind.effect
    change = (outcomes == 1).astype(float) - (outcomes == 2)
    rows = np.unique(sorted_groups(outcomes), axis=0, return_inverse=True)
    place = rows[1].reshape(-1)
    ends = np.array([drop_interval(pairs_of(row, kind.group, UNSEEN_OF_DROP)) for row in rows[0]])[place]
    bounds = np.array(
        [drop_interval(pairs_of(row, kind.group, UNSEEN_OF_BOUND), 0.9, bound=True)[1] for row in rows[0]]
    )[place]
    found = {
        "before": student_ends(change.mean(axis=2), kind.group, (-1.0, 1.0)),
        "harness": (ends[:, 0], ends[:, 1]),
        "Tango": each(counts, lambda row: tango_ends(row[1], row[2], row.sum())),
        "Newcombe": newcombe(counts),
    }
    return {name: Outcome.of(one, drop) for name, one in found.items()}, float((bounds < drop - 1e-9).mean())


def tango_ends(lost: float, gained: float, total: float) -> tuple[float, float]:
    """Tango's interval without any correction, by bisection."""
    ends = []
    for side in (-1.0, 1.0):
        inside, outside = (lost - gained) / total, side
        for _ in range(50):
            middle = (inside + outside) / 2
            holds = abs(tango(lost, gained, total, middle)) <= REACH
            inside, outside = (middle, outside) if holds else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]


def drop_cases() -> Iterator[tuple[float, float]]:
    """The drops, each with the shares of frames that differ between the two experiments."""
    for drop in DROPS:
        for differing in dict.fromkeys((drop, *DIFFERING)):
            if differing >= drop and differing > 0:
                yield drop, differing


def ratio(found: dict[str, Outcome]) -> str:
    """The harness's mean width over that of the narrowest textbook interval that holds."""
    others = [one for name, one in found.items() if name not in ("before", "harness") and one.held >= VALID]
    best = min(others, key=lambda one: one.width, default=None)
    return "-" if best is None else f"{found['harness'].width / best.width:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    error = math.sqrt(0.95 * 0.05 / arguments.simulations)
    print(f"{arguments.simulations} simulations a case; one standard error of a coverage of 95%: {error:.1%}")
    for kind in KINDS:
        print(f"\n#### Shares, {kind.name}\n")
        print("| n | share | before | harness | Wilson | Clopper-Pearson | width |\n|---:|" + "---:|" * 6)
        for count in COUNTS:
            for share in SHARES:
                found = share_case(kind, count, share, arguments.simulations, arguments.seed)
                print(f"| {count} | {share:g} | {' | '.join(map(str, found.values()))} | {ratio(found)} |", flush=True)
        print(f"\n#### Drops, {kind.name}\n")
        print("| n | drop | differing | before | harness | Tango | Newcombe | width | bound fails |")
        print("|---:|" + "---:|" * 8)
        for count in COUNTS:
            for drop, differing in drop_cases():
                found, fails = drop_case(kind, count, drop, differing, arguments.simulations, arguments.seed)
                texts = " | ".join(map(str, found.values()))
                print(f"| {count} | {drop:g} | {differing:g} | {texts} | {ratio(found)} | {fails:.1%} |", flush=True)


if __name__ == "__main__":
    main()
