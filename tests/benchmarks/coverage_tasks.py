"""How often 95% intervals of metrics of segmentation, depth, action and pose, and of their drops, hold the true value.

    python tests/benchmarks/coverage_tasks.py --quick      # 40 simulations a case: a look, not a result
    python tests/benchmarks/coverage_tasks.py              # 1,000 simulations a case, on all cores
    python tests/benchmarks/coverage_tasks.py --population second

The sibling of coverage.py (detection), which compares ways to make intervals: this one runs the harness's own code, the
tasks' `reduce` and `harness.statistics.intervals`, on sufficient statistics that are made up. A population of 20,000
frames or clips has a quality that all pixels of a frame share, and in the grouped population one that five frames of a
drive (a person's five clips) share; its own metrics are the true values. The degraded version keeps the frames and part
of the luck. Each simulation draws n frames (whole groups, with replacement) from both versions.

A third version, retrained, lies between the two; the share of the loss that it recovers is simulated too.

Choices were made on the first population. The second was held back: it has other frames, qualities that differ more,
and a degraded version that loses much less. On both was chosen how far metrics without limits (depth's errors) are
widened; so the third was held back for these.

Each cell has the coverage and the mean width of the harness's intervals; after the stroke, those of version 0.1.0: the
value and t standard errors, without what `harness.statistics.spread` and `.proportions` add.
"""

from __future__ import annotations

import argparse
import math
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from made_up_poses import poses

from harness.statistics.drops import paired_interval
from harness.statistics.intervals import interval, replicates, size_bias, standard_error, student
from harness.statistics.ratios import difference, ratio_interval
from harness.task import Task
from harness_tasks.action.task import Action
from harness_tasks.depth.task import Depth
from harness_tasks.pose.task import Pose
from harness_tasks.segmentation.task import Segmentation

UNITS = 20_000
RESAMPLES = 200
GROUP = 5
CLASSES = 12
Floats = Any
SHOWN = {
    "segmentation": ("mIoU", "global_accuracy", "mean_class_accuracy"),
    "depth": ("rmse", "abs_rel", "delta1", "rmse_pooled"),
    "action": ("fusion_top1", "spatial_top1", "mean_class_accuracy"),
    "pose": ("AP", "AP50"),
}


def task_of(name: str) -> Task:
    if name == "pose":
        return Pose()
    names = tuple(f"class {number}" for number in range(CLASSES))
    return {"segmentation": Segmentation, "depth": Depth, "action": Action}[name](classes=names)


def sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


POPULATIONS = {"first": (0.7, 0.8), "second": (1.1, 0.25), "third": (0.9, 0.5)}
"""How much the quality of frames (and of groups) differs, and how much is lost by degradation."""


def qualities(rng: np.random.Generator, grouped: bool, which: str) -> tuple[Floats, Floats, Floats]:
    """How easy each unit is, how easy when degraded, and how easy for a retrained model: float64[UNITS] each."""
    spread, loss = POPULATIONS[which]
    quality = rng.normal(0, spread, UNITS)
    if grouped:
        quality += np.repeat(rng.normal(0, spread, UNITS // GROUP), GROUP)
    degraded = quality - loss + rng.normal(0, loss / 2, UNITS)
    return quality, degraded, degraded + 0.6 * loss + rng.normal(0, loss / 4, UNITS)


def segmentation(rng: np.random.Generator, quality: Floats, world: np.random.Generator) -> list[dict[str, Floats]]:
    """Confusion matrices of frames of 49,152 pixels, in which the last classes are rare and small."""
    there = world.uniform(size=(UNITS, CLASSES)) < np.linspace(1.0, 0.08, CLASSES)
    sizes = world.gamma(1.5, np.geomspace(1.0, 0.02, CLASSES), (UNITS, CLASSES)) * there
    pixels = np.floor(49152 * sizes / sizes.sum(axis=1, keepdims=True))
    ease = np.linspace(3.0, 0.6, CLASSES)
    right = sigmoid(ease + quality[:, None] + world.normal(0, 0.5, (UNITS, CLASSES)) + rng.normal(0, 0.4, there.shape))
    found = []
    for area, share in zip(pixels, right, strict=True):
        others = np.tile(area + 0.002 * area.sum(), (CLASSES, 1))
        np.fill_diagonal(others, 0)
        matrix = others / others.sum(axis=1, keepdims=True) * (area * (1 - share))[:, None]
        np.fill_diagonal(matrix, area * share)
        found.append({"confusion": np.pad(np.round(matrix), ((0, 0), (0, 1))).astype(np.int64)})
    return found


def depth(rng: np.random.Generator, quality: Floats, world: np.random.Generator) -> list[dict[str, Floats]]:
    """Sums of errors over 40,000 pixels, in frames that are near or far."""
    far = np.exp(world.normal(2.3, 0.5, UNITS))  # metres
    wrong = 0.12 * np.exp(-0.5 * quality + rng.normal(0, 0.25, UNITS))
    inside = sigmoid((0.25 - wrong) * 12)
    means = np.stack(
        [wrong, wrong**2 * far * 2, (wrong * far * 1.6) ** 2, (1.3 * wrong) ** 2, inside, inside**0.4, inside**0.1],
        axis=1,
    )
    return [{"pixels": np.array(40_000, np.int64), "sums": 40_000 * row} for row in means]


def action(rng: np.random.Generator, quality: Floats, world: np.random.Generator) -> list[dict[str, Floats]]:
    """Ranks of the true class in two streams and their fusion."""
    label = world.integers(0, CLASSES, UNITS)
    sure = 1.6 + np.linspace(0.8, -0.8, CLASSES)[label] + quality
    spatial, motion = sure - 0.6 + rng.normal(0, 1, UNITS), sure + rng.normal(0, 1, UNITS)
    ranks = np.floor(np.maximum(0, -np.stack([spatial, motion, (spatial + motion) / 2 + 0.3], axis=1) * 2 + 0.999))
    return [
        {"label": np.array(c, np.int64), "ranks": row.astype(np.int32), "probability": np.array(0.5)}
        for c, row in zip(label, ranks, strict=True)
    ]


@cache
def population(name: str, grouped: bool, which: str) -> tuple[list[Any], ...]:
    """The statistics of the baseline, of the degraded version and of the retrained one."""
    make = {"segmentation": segmentation, "depth": depth, "action": action, "pose": poses}[name]
    shift = 100 * list(POPULATIONS).index(which)
    versions = enumerate(qualities(np.random.default_rng(1 + shift), grouped, which), start=2)
    # The world has the same frames in all versions.
    return tuple(
        make(np.random.default_rng(n + shift), quality, np.random.default_rng(7 + shift)) for n, quality in versions
    )


@cache
def truth(name: str, grouped: bool, which: str) -> tuple[dict[str, float], ...]:
    task = task_of(name)
    sides = population(name, grouped, which)
    return tuple({k: float(v[0]) for k, v in task.reduce(side).items()} for side in sides)


def of_student(value: float, resampled: Floats, groups: int, bias: bool = False) -> tuple[float, float]:
    """The interval of version 0.1.0."""
    error = standard_error(resampled, groups)
    if bias:
        error = math.hypot(error, size_bias(value, resampled, groups))
    return value - student(groups - 1) * error, value + student(groups - 1) * error


def simulate(case: tuple[str, bool, str, int, int]) -> Floats:
    """Whether each interval holds, and how wide it is: float64[2, values, drops and recoveries, 2 methods].

    NaN for a recovery without an interval.
    """
    name, grouped, which, count, seed = case
    task, sides, true = task_of(name), population(name, grouped, which), truth(name, grouped, which)
    rng = np.random.default_rng((11 + list(POPULATIONS).index(which), seed))
    size = GROUP if grouped else 1
    drawn = rng.integers(0, UNITS // size, max(2, count // size))
    chosen = (drawn[:, None] * size + np.arange(size)).reshape(-1)
    groups = [str(number) for number in np.repeat(np.arange(len(drawn)), size)]
    before, after, taught = (
        replicates(task, [side[i] for i in chosen], groups, RESAMPLES, seed, threads=1, only=SHOWN[name])
        for side in sides
    )
    rows = []
    up = {metric.name: metric.higher_is_better for metric in task.all_metrics()}
    for metric in SHOWN[name]:
        found = interval(before, metric)
        plain = of_student(before.values[metric], before.resampled[metric], before.groups, bias=True)
        rows.append((true[0][metric], (found.low, found.high), plain))
    for metric in SHOWN[name]:
        found, sign = paired_interval(after, before, metric, up[metric]), 1 if up[metric] else -1
        drops = sign * (before.resampled[metric] - after.resampled[metric])
        plain = of_student(sign * (before.values[metric] - after.values[metric]), drops, before.groups)
        rows.append((sign * (true[0][metric] - true[1][metric]), (found.low, found.high), plain))
    for metric in SHOWN[name][:1]:
        gain, loss = difference(taught, after, metric, up[metric]), difference(before, after, metric, up[metric])
        assert gain is not None
        assert loss is not None
        found = ratio_interval(gain, loss, "the loss")
        ends = (math.nan, math.nan) if found.low is None or found.high is None else (found.low, found.high)
        recovered = (true[2][metric] - true[1][metric]) / (true[0][metric] - true[1][metric])
        rows.append((recovered, ends, ends))
    return np.array(
        [
            [[math.nan if math.isnan(low) else low <= value <= high for low, high in ends] for value, *ends in rows],
            [[high - low for low, high in ends] for _, *ends in rows],
        ],
        np.float64,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="40 simulations a case")
    parser.add_argument("--population", choices=list(POPULATIONS), default="first")
    parser.add_argument("--task", choices=list(SHOWN))
    parser.add_argument("--images", type=int, action="append", help="default: 66, 200 and 1000; repeatable")
    arguments = parser.parse_args()
    simulations, which = 40 if arguments.quick else arguments.simulations, arguments.population
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in [arguments.task] if arguments.task else SHOWN:
            first = SHOWN[name][0]
            columns = [*SHOWN[name], *(f"drop of {metric}" for metric in SHOWN[name]), f"recovery of {first}"]
            print(f"\n| {name} | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
            for grouped in (False, True):
                true = truth(name, grouped, which)
                drops = [abs(true[0][metric] - true[1][metric]) for metric in SHOWN[name]]
                values = [true[0][metric] for metric in SHOWN[name]] + drops
                values.append((true[2][first] - true[1][first]) / (true[0][first] - true[1][first]))
                print(f"| *true value* | {' | '.join(f'{value:.3f}' for value in values)} |")
                for count in arguments.images or (66, 200, 1000):
                    cases = [(name, grouped, which, count, seed) for seed in range(simulations)]
                    with np.errstate(all="ignore"):
                        held, width = np.nanmean(list(pool.map(simulate, cases, chunksize=10)), axis=0)
                    cells = " | ".join(
                        f"{h[0]:.1%} ({w[0]:.3f}) / {h[1]:.1%} ({w[1]:.3f})" for h, w in zip(held, width, strict=True)
                    )
                    what = f"n = {count}" + (f" in {count // GROUP} groups of five" if grouped else "")
                    print(f"| {what} | {cells} |", flush=True)
    error = math.sqrt(0.95 * 0.05 / simulations)
    print(f"\n{simulations} simulations a case; one standard error of a coverage of 95%: {error:.1%}")


if __name__ == "__main__":
    main()
