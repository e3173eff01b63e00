"""How often 95% intervals of BD-rates hold the true value: a simulation of curves of a mean score.

    python tests/benchmarks/coverage_rates.py --simulations 100       # a look
    python tests/benchmarks/coverage_rates.py                         # 1,000 simulations a case, on one core

Two codecs with seven levels each are judged on the same images. An image has a quality that all levels share, in the
grouped population also one that five images share, and luck of its own at each level; its size at a level differs from
the mean size as images do. In "alike" the second codec needs 20% less at every level; in "crossing" it is better at low
rates and worse at high ones. "Flat" curves end in a plateau, where which points rise is chance. The true BD-rate is
that of the true curves. Widths are medians: a percentage has no upper limit.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np

from harness.decide.bjontegaard import RateCurve, bd_rate
from harness.decide.deltas import ResampledCurve, rate_difference
from harness.decide.paired import Draw
from harness.results.resampled import ResampledMetric
from harness.statistics.intervals import Replicates
from harness.statistics.resamples import subsets

RESAMPLES = 200
RATES = np.array([5, 3, 1.8, 1, 0.6, 0.35, 0.2])
SHAPES = {
    "rising": np.array([0.78, 0.76, 0.735, 0.70, 0.65, 0.58, 0.48]),
    "flat": np.array([0.7003, 0.7, 0.6985, 0.67, 0.62, 0.5, 0.38]),
}
SECOND = {
    "alike": (0.8, np.zeros(7)),
    "crossing": (0.8, np.array([-0.015, -0.012, -0.008, 0.0, 0.01, 0.02, 0.03])),
}
"""The rate of the second codec over that of the first, and how much better it is at each level."""
GROUP = 5
Floats = np.ndarray


@dataclass(frozen=True)
class Case:
    """A shape of the curves, the second codec, and how many images there are, alone or in groups of five."""

    shape: str
    second: str
    images: int
    grouped: bool

    @property
    def curves(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The true rates and qualities of both codecs."""
        share, better = SECOND[self.second]
        return (RATES, SHAPES[self.shape]), (RATES * share, SHAPES[self.shape] + better)

    @property
    def truth(self) -> float:
        """The true BD-rate in percent."""
        first, second = (RateCurve(rates[::-1], values[::-1]) for rates, values in self.curves)
        value = bd_rate(first, second, "akima").value
        assert value is not None
        return value


def one(name: str, values: Floats, groups: Floats, chosen: Floats) -> ResampledMetric:
    """The mean of numbers of images, on all and on the resamples of groups, bool[R, G]."""
    sums, counts = np.bincount(groups, values), np.bincount(groups)
    resampled = (chosen @ sums) / (chosen @ counts)
    return ResampledMetric(
        name, Replicates({name: float(values.mean())}, {name: resampled}, len(counts), frozenset(), ""), len(values)
    )


def simulate(case: Case, seed: int) -> tuple[float, float] | None:
    """The interval of the BD-rate of one sample; None without an interval."""
    rng = np.random.default_rng([seed, case.images, case.grouped])
    size = GROUP if case.grouped else 1
    count = case.images // size
    groups = np.repeat(np.arange(count), size)
    quality = rng.normal(0, 0.12, len(groups)) + (rng.normal(0, 0.12, count)[groups] if case.grouped else 0.0)
    busy = rng.normal(0, 0.4, len(groups)) + (rng.normal(0, 0.4, count)[groups] if case.grouped else 0.0)
    chosen = subsets(count, seed, range(RESAMPLES)).astype(np.float64)
    sides = []
    for rates, values in case.curves:
        points = []
        for rate, value in zip(rates, values, strict=True):
            scores = value + quality + rng.normal(0, 0.05, len(groups))
            spread = 0.32 if case.grouped else 0.16
            sizes = rate * np.exp(busy + rng.normal(0, 0.05, len(groups)) - (spread + 0.0025) / 2)
            points.append((one("score", scores, groups, chosen), one("rate", sizes, groups, chosen)))
        sides.append(ResampledCurve(points, 1.0))
    found, _ = rate_difference((sides[0], sides[1]), "akima", Draw(count, seed))
    return None if found.low is None or found.high is None else (found.low, found.high)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--shape", choices=list(SHAPES), action="append", help="default: all; repeatable")
    arguments = parser.parse_args()
    simulations = arguments.simulations
    print("| curves | second codec | images | true BD-rate | coverage (width) | without an interval |")
    print("|---|---|---:|---:|---:|---:|")
    for shape in arguments.shape or SHAPES:
        for second in SECOND:
            if (shape, second) == ("flat", "crossing"):
                continue  # its true curve would not rise
            for images, grouped in ((66, False), (200, False), (65, True), (200, True)):
                case = Case(shape, second, images, grouped)
                ends = [found for seed in range(simulations) if (found := simulate(case, seed)) is not None]
                held = np.mean([low <= case.truth <= high for low, high in ends])
                width = np.median([high - low for low, high in ends])
                lost = 1 - len(ends) / simulations
                what = f"{images} in {images // GROUP} groups" if grouped else str(images)
                row = f"{shape} | {second} | {what} | {case.truth:.1f}% | {held:.1%} ({width:.1f} points) | {lost:.1%}"
                print(f"| {row} |", flush=True)
    print(f"\n{simulations} simulations a case; one standard error of 95%: {math.sqrt(0.05 * 0.95 / simulations):.1%}")


if __name__ == "__main__":
    main()
