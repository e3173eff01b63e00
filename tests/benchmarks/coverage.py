"""How often 95% intervals of AP, AP50 and of their paired drops hold the true value, by method: a simulation.

    python tests/benchmarks/coverage.py --quick        # 40 simulations a case: a look, not a result
    python tests/benchmarks/coverage.py                # 1,000 simulations a case, on all cores
    python tests/benchmarks/coverage.py --population grouped --images 200 --simulations 2000
    python tests/benchmarks/coverage.py --harness      # the harness's own method alone, which is much faster

A population of 40,000 images is made up, with objects and a detector's answers, for a baseline and for a degraded
version of the same images; its own AP is the true value. Each simulation draws n images from it (whole groups, with
replacement), and asks every method for its intervals.

What is made up: an image has a quality that all its objects share, so detections within an image (and, in the grouped
population, within a group of five images) go together; an object has a quality of its own; both decide whether it is
found, how well it is located and how confidently. There are doubled detections and false ones, more of them of classes
that the image has. The degraded version keeps the images, objects and part of the luck, and lowers the quality.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from harness.statistics.intervals import size_bias, standard_error, student, subset
from harness.statistics.resamples import influences
from harness.statistics.spread import Spread
from harness_tasks.average_precision import AveragePrecision, interpolated
from harness_tasks.precision_recall import curves
from harness_tasks.weight_sums import by_frame

IMAGES = 40_000
RESAMPLES = 200
MEASURES = ("AP", "AP50", "drop of AP", "drop of AP50")
NORMAL = NormalDist()
Floats = np.ndarray


@dataclass(frozen=True)
class Population:
    """What a population is like: the number of classes, how unequal they are (Zipf's exponent), images a group."""

    classes: int
    zipf: float
    group: int = 1


POPULATIONS = {
    "rare": Population(classes=20, zipf=1.0),
    "common": Population(classes=3, zipf=0.5),
    "grouped": Population(classes=20, zipf=0.7, group=5),
}


@dataclass(frozen=True)
class Answers:
    """One version of the population: detections and objects by image.

    Args:
        starts: int64[images + 1], where each image's detections start.
        label: int64[detections].
        score: float64[detections].
        reached: int64[detections], at how many of the ten overlap thresholds it is a true positive.
        object_starts: int64[images + 1].
        object_label: int64[objects].
    """

    starts: Floats
    label: Floats
    score: Floats
    reached: Floats
    object_starts: Floats
    object_label: Floats


def sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


@cache
def population(name: str) -> tuple[Answers, Answers]:
    """The baseline's answers and the degraded version's."""
    kind = POPULATIONS[name]
    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, kind.classes + 1) ** kind.zipf
    share /= share.sum()
    quality = rng.normal(0, 0.8, IMAGES)
    if kind.group > 1:
        quality += np.repeat(rng.normal(0, 0.8, IMAGES // kind.group), kind.group)
    kinds = 1 + rng.binomial(2, 0.35, IMAGES)  # classes in each image
    image = np.repeat(np.arange(IMAGES), kinds)
    named = rng.choice(kind.classes, len(image), p=share)
    copies = rng.geometric(0.5, len(image))  # objects of each class
    home, label = np.repeat(image, copies), np.repeat(named, copies)
    ease = np.random.default_rng(99).normal(0.4, 0.7, kind.classes)
    latent = ease[label] + 0.8 * quality[home] + rng.normal(0, 1, len(home))
    luck = rng.normal(0, 1, (5, len(home)))
    clutter = rng.normal(0, 1, IMAGES)
    versions = []
    for loss, fresh in ((0.0, 0.0), (0.5, 0.5)):
        chance = np.sqrt(1 - fresh**2) * luck + fresh * rng.normal(0, 1, luck.shape)
        true = latent + 0.4 * chance[0] - loss
        found = true + 0.8 * chance[1] > -0.6
        overlap = sigmoid(1.6 + 0.5 * true + 0.8 * chance[2])
        reached = np.floor((overlap - 0.45) / 0.05).clip(0, 10).astype(np.int64)
        confidence = sigmoid(0.3 + true + 0.9 * chance[3])
        doubled = chance[4] > 1.0
        second = sigmoid(-1 + 0.5 * true + 0.8 * rng.normal(0, 1, len(home)))
        place = np.repeat(np.arange(IMAGES), rng.poisson(np.exp(0.6 + 0.4 * clutter - 0.3 * quality + 0.1 * loss)))
        present = rng.uniform(size=len(place)) < 0.4
        wrong = np.where(present, named[np.searchsorted(image, place)], rng.choice(kind.classes, len(place), p=share))
        noise = sigmoid(-1.6 + 0.2 * ease[wrong] + 1.1 * rng.normal(0, 1, len(place)))
        where = np.concatenate([home[found], home[doubled], place])
        order = np.argsort(where, kind="stable")
        versions.append(
            Answers(
                np.searchsorted(where[order], np.arange(IMAGES + 1)),
                np.concatenate([label[found], label[doubled], wrong])[order],
                np.concatenate([confidence[found], second[doubled], noise])[order],
                np.concatenate([reached[found], np.zeros(doubled.sum() + len(place), np.int64)])[order],
                np.searchsorted(home, np.arange(IMAGES + 1)),
                label,
            )
        )
    return versions[0], versions[1]


@dataclass(frozen=True)
class Classes:
    """The classes in a sample: what computes their AP, and their objects by image, int64[classes, images]."""

    precision: AveragePrecision
    objects: Floats


def classes_of(answers: Answers, chosen: Floats, classes: int) -> Classes:
    """The classes in a sample of images (an image drawn twice counts as two)."""
    detection, image = _ranges(answers.starts, chosen)
    thing, home = _ranges(answers.object_starts, chosen)
    order = np.lexsort((-answers.score[detection], answers.label[detection]))
    hits = answers.reached[detection[order], None] > np.arange(10)
    found = curves(image[order], answers.label[detection[order]], hits, np.ones_like(hits), classes)
    place = answers.object_label[thing] * len(chosen) + home
    objects = np.bincount(place, minlength=classes * len(chosen)).reshape(classes, len(chosen))
    return Classes(AveragePrecision(found, [(interpolated(101),)] * 10), objects)


def _ranges(starts: Floats, chosen: Floats) -> tuple[Floats, Floats]:
    """The rows of the chosen images one after the other, and the place in `chosen` of each."""
    counts = starts[chosen + 1] - starts[chosen]
    place = np.repeat(np.arange(len(chosen)), counts)
    return np.repeat(starts[chosen], counts) + np.arange(len(place)) - np.repeat(
        np.cumsum(counts) - counts, counts
    ), place


def reduced(found: Classes, weights: Floats) -> Floats:
    """AP and AP50, float64[R, 2]: means over the classes that have an object."""
    rows = by_frame(weights, found.precision.terms)
    values = found.precision(rows, found.objects @ weights.T)  # classes, thresholds, R
    return np.stack([np.nanmean(values.mean(axis=1), axis=0), np.nanmean(values[:, 0], axis=0)], axis=1)


@dataclass(frozen=True)
class Drawn:
    """What the methods have to go by, for one measure of one sample.

    Args:
        value: the measure on the sample.
        boot: float64[R], on bootstrap resamples (groups with replacement).
        halves: float64[R], on halves of the groups.
        thirds: float64[R], on two thirds of the groups.
        left_out: float64[J], on the sample without each of J blocks of groups.
        groups: G.
    """

    value: float
    boot: Floats
    halves: Floats
    thirds: Floats
    left_out: Floats
    groups: int
    influences: Floats


def percentile(found: Drawn) -> tuple[float, float]:
    low, high = np.quantile(found.boot, [0.025, 0.975])
    return low, high


def basic(found: Drawn) -> tuple[float, float]:
    low, high = percentile(found)
    return 2 * found.value - high, 2 * found.value - low


def accelerated(found: Drawn) -> tuple[float, float]:
    """BCa (Efron 1987), the acceleration from leaving out blocks."""
    below = np.mean(found.boot < found.value) + np.mean(found.boot == found.value) / 2
    shift = NORMAL.inv_cdf(float(np.clip(below, 0.5 / len(found.boot), 1 - 0.5 / len(found.boot))))
    gap = found.left_out.mean() - found.left_out
    size = 6 * float((gap**2).sum()) ** 1.5
    bend = float((gap**3).sum()) / size if size else 0.0
    ends = []
    for level in (0.025, 0.975):
        step = shift + NORMAL.inv_cdf(level)
        ends.append(float(np.quantile(found.boot, NORMAL.cdf(shift + step / (1 - bend * step)))))
    return ends[0], ends[1]


def normal(found: Drawn) -> tuple[float, float]:
    return _reach(found, float(found.boot.std(ddof=1)))


def halves(found: Drawn) -> tuple[float, float]:
    return _reach(found, float(found.halves.std(ddof=1)))


def thirds(found: Drawn) -> tuple[float, float]:
    return _reach(found, standard_error(found.thirds, found.groups))


def thirds_and_bias(found: Drawn) -> tuple[float, float]:
    bias = size_bias(found.value, found.thirds, found.groups)
    return _reach(found, float(np.hypot(standard_error(found.thirds, found.groups), bias)))


def _reach(found: Drawn, error: float) -> tuple[float, float]:
    reach = student(found.groups - 1) * error
    return found.value - reach, found.value + reach


def widened(found: Drawn) -> tuple[float, float]:
    return _widened(found, standard_error(found.thirds, found.groups))


def widened_and_bias(found: Drawn) -> tuple[float, float]:
    bias = size_bias(found.value, found.thirds, found.groups)
    return _widened(found, float(np.hypot(standard_error(found.thirds, found.groups), bias)))


def _widened(found: Drawn, error: float) -> tuple[float, float]:
    below, above = Spread.of(error, found.influences, found.groups, bounded=True).reach()
    return found.value - below, found.value + above


METHODS: dict[str, Callable[[Drawn], tuple[float, float]]] = {
    "bootstrap, percentile": percentile,
    "bootstrap, basic": basic,
    "bootstrap, BCa": accelerated,
    "bootstrap, value ± t s.d.": normal,
    "halves, value ± t s.d.": halves,
    "two thirds, value ± t s.e.": thirds,
    "two thirds, value ± t s.e. and bias": thirds_and_bias,
    "two thirds, widened (used for drops)": widened,
    "two thirds, widened, with bias (used for values)": widened_and_bias,
}
OWN = [name for name in METHODS if name.startswith("two thirds")]
"""The methods that need only the harness's own resamples."""


def truth(name: str) -> Floats:
    """The four measures of the whole population."""
    whole, every = np.ones((1, IMAGES)), np.arange(IMAGES)
    before, after = (reduced(classes_of(a, every, POPULATIONS[name].classes), whole)[0] for a in population(name))
    return np.concatenate([before, before - after])


def simulate(name: str, images: int, seed: int, own: bool = False) -> list[Drawn]:
    """One sample of the population, and what the methods need (or only those of `OWN`), for each measure."""
    kind = POPULATIONS[name]
    rng = np.random.default_rng([seed, images])
    groups = images // kind.group
    chosen = rng.integers(0, IMAGES // kind.group, groups)[:, None] * kind.group + np.arange(kind.group)
    versions = [classes_of(answers, chosen.ravel(), kind.classes) for answers in population(name)]

    def measures(weights: Floats) -> Floats:
        by_image = np.repeat(np.asarray(weights, np.float64), kind.group, axis=1)
        before, after = (reduced(version, by_image) for version in versions)
        return np.concatenate([before, before - after], axis=1)

    value = measures(np.ones((1, groups)))[0]
    third = measures(np.array([subset(groups, seed, number) for number in range(RESAMPLES)]))
    of_groups = influences({str(i): third[:, i] for i in range(len(MEASURES))}, groups, seed)
    if own:
        return [Drawn(float(value[i]), *(third[:, i],) * 4, groups, of_groups[str(i)]) for i in range(len(MEASURES))]
    boot = measures(rng.multinomial(groups, [1 / groups] * groups, size=RESAMPLES))
    rank = rng.permuted(np.tile(np.arange(groups), (RESAMPLES // 2, 1)), axis=1)
    half = measures(np.concatenate([rank < groups // 2, rank >= groups // 2]))
    blocks = min(groups, 40)
    block = rng.permutation(groups) % blocks
    left = measures(block[None] != np.arange(blocks)[:, None])
    return [
        Drawn(float(value[i]), boot[:, i], half[:, i], third[:, i], left[:, i], groups, of_groups[str(i)])
        for i in range(len(MEASURES))
    ]


def outcomes(job: tuple[str, int, range, bool]) -> Floats:
    """For each simulation and measure the ends of M intervals, then value and error: float64[S, 4, M + 1, 2]."""
    name, images, seeds, own = job
    methods = [METHODS[method] for method in (OWN if own else METHODS)]
    rows = []
    for seed in seeds:
        drawn = simulate(name, images, seed, own)
        ends = [[method(found) for method in methods] for found in drawn]
        extra = [(found.value, standard_error(found.thirds, found.groups)) for found in drawn]
        rows.append([[*of_each, more] for of_each, more in zip(ends, extra, strict=True)])
    return np.array(rows)


def report(name: str, images: int, found: Floats, expected: Floats, seconds: float, own: bool) -> None:
    values, errors, ends = found[:, :, -1, 0], found[:, :, -1, 1], found[:, :, :-1]
    print(f"\n### {name}, n = {images}: {len(found)} simulations, {RESAMPLES} resamples each ({seconds:.0f} s)\n")
    print("| | " + " | ".join(MEASURES) + " |\n|---|" + "---:|" * len(MEASURES))
    print("| true value | " + " | ".join(f"{value:.3f}" for value in expected) + " |")
    print("| mean error of the value | " + " | ".join(f"{v:+.4f}" for v in values.mean(axis=0) - expected) + " |")
    print("| its standard deviation | " + " | ".join(f"{v:.4f}" for v in values.std(axis=0)) + " |")
    print("| mean standard error, two thirds | " + " | ".join(f"{v:.4f}" for v in errors.mean(axis=0)) + " |")
    for place, method in enumerate(OWN if own else METHODS):
        low, high = ends[:, :, place, 0], ends[:, :, place, 1]
        cover = ((low <= expected) & (expected <= high)).mean(axis=0)
        width = (high - low).mean(axis=0)
        print(f"| {method} | " + " | ".join(f"{c:.1%} ({w:.3f})" for c, w in zip(cover, width, strict=True)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", choices=list(POPULATIONS), action="append")
    parser.add_argument("--images", type=int, action="append", help="n; default 66, 200 and 1000")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="40 simulations a case")
    parser.add_argument("--harness", action="store_true", help="only methods with the harness's resamples")
    options = parser.parse_args()
    simulations = 40 if options.quick else options.simulations
    print("Coverage of 95% intervals (mean width in brackets); s.e. of 95% of 1,000: 0.7%")
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.population or POPULATIONS:
            expected = truth(name)
            for images in options.images or (66, 200, 1000):
                start = time.perf_counter()
                seeds = [range(s, min(s + 10, simulations)) for s in range(0, simulations, 10)]
                parts = list(pool.map(outcomes, [(name, images, part, options.harness) for part in seeds]))
                seconds = time.perf_counter() - start
                report(name, images, np.concatenate(parts), expected, seconds, options.harness)


if __name__ == "__main__":
    main()
