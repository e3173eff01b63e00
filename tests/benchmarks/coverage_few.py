"""How often 95% intervals of means hold the true value where few groups deviate: a simulation, without any task.

    python tests/benchmarks/coverage_few.py
    python tests/benchmarks/coverage_few.py --unlimited --population lognormal   # as a metric in metres, or an error

Each group has a number: the drop of a metric that is no count, such as mIoU of an image. Printed for each number of
groups are the coverage, the mean width, and how often the one-sided 95% bound is below the true value; after the stroke
the same for version 0.1.0 (the mean and t standard errors).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np

from harness.statistics.quantiles import student
from harness.statistics.resamples import influences, standard_error, subsets
from harness.statistics.spread import Spread

GROUPS = (13, 66, 200, 1000)
RESAMPLES = 1000
Floats = np.ndarray
Draw = Callable[[np.random.Generator, int], Floats]


def some(share: float, most: float) -> Draw:
    """A share of the groups loses up to `most`, the others nothing."""
    return lambda rng, count: (rng.random(count) < share) * rng.uniform(0, most, count)


POPULATIONS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, count: rng.normal(0, 0.1, count), 0.0),
    "5% lose, .4 on average": (some(0.05, 0.8), 0.02),
    "2% lose, .25 on average": (some(0.02, 0.5), 0.005),
    "2% lose 1, 2% win 1": (lambda rng, count: rng.choice([1.0, -1.0, 0.0], count, p=[0.02, 0.02, 0.96]), 0.0),
    "lognormal": (lambda rng, count: 0.01 * rng.lognormal(0, 1, count), 0.01 * math.exp(0.5)),
    "3% lose .5, all differ by .02": (
        lambda rng, count: rng.normal(0, 0.02, count) + 0.5 * (rng.random(count) < 0.03),
        0.015,
    ),
}


def simulate(name: str, groups: int, simulations: int, unlimited: bool) -> Floats:
    """Coverage, mean width, and how often the bound is too low: float64[3, 2], by the harness and by version 0.1.0."""
    draw, truth = POPULATIONS[name]
    rng = np.random.default_rng([groups, len(name)])
    chosen = subsets(groups, 0, range(RESAMPLES)).astype(np.float64)
    rows = []
    for _ in range(simulations):
        numbers = draw(rng, groups)
        value, resampled = numbers.mean(), chosen @ numbers / chosen.sum(axis=1)
        error = standard_error(resampled, groups)
        spread = Spread.of(error, influences({"": resampled}, groups, 0)[""], groups, not unlimited, unlimited)
        both = []
        for (below, above), bound in (
            (spread.reach(), spread.reach(0.9, bound=True)[1]),
            ((student(groups - 1) * error,) * 2, student(groups - 1, 0.9) * error),
        ):
            holds = value - below <= truth + 1e-12 and truth - 1e-12 <= value + above
            both.append((holds, below + above, value + bound < truth - 1e-12))
        rows.append(np.array(both, np.float64).T)
    return np.mean(rows, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--population", choices=list(POPULATIONS), action="append", help="default: all; repeatable")
    parser.add_argument("--groups", type=int, action="append", help="default: 13, 66, 200 and 1000; repeatable")
    parser.add_argument("--unlimited", action="store_true", help="a metric without limits, such as an error in metres")
    arguments = parser.parse_args()
    simulations = arguments.simulations
    print("| | groups | coverage (width) | bound too low |\n|---|---:|---:|---:|")
    for name in arguments.population or POPULATIONS:
        for groups in arguments.groups or GROUPS:
            held, width, low = simulate(name, groups, simulations, arguments.unlimited)
            cells = " / ".join(f"{h:.1%} ({w:.4f})" for h, w in zip(held, width, strict=True))
            print(f"| {name} | {groups} | {cells} | {' / '.join(f'{share:.1%}' for share in low)} |", flush=True)
    print(f"\n{simulations} simulations a case; one standard error of 95%: {math.sqrt(0.05 * 0.95 / simulations):.1%}")


if __name__ == "__main__":
    main()
