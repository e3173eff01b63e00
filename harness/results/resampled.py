"""The resamples of experiments' metrics, on the samples that finished in all of those that are put into one formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.experiment import canonical
from harness.results.classes import classes_of
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import (
    GROUPS_FROM,
    HOLDS_FROM,
    UNDEFINED_ALLOWED,
    Replicates,
    interval,
    replicates,
    standard_error,
    subset,
)
from harness.statistics.recorded_task import task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.discovery.plugins import Plugins
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["RATE", "Measure", "ResampledMetric", "Resampler"]

RATE = "bpp"
"""In the place of a metric: bits per pixel of the source."""

Measure = tuple[Sequence["ResultCell"], str]
"""A metric of one or more experiments (trainings from several seeds): their mean."""


@dataclass(frozen=True)
class ResampledMetric:
    """A metric, the mean of some experiments.

    Args:
        metric: its name.
        replicates: its value and its resamples.
        samples: on how many samples it stands.
    """

    metric: str
    replicates: Replicates
    samples: int

    @property
    def value(self) -> float:
        """NaN where it is undefined."""
        return self.replicates.values[self.metric]

    @property
    def groups(self) -> int:
        """On how many groups of samples it stands."""
        return self.replicates.groups

    @property
    def few(self) -> bool:
        """Whether nobody has seen intervals hold on so few samples."""
        return self.samples < HOLDS_FROM or self.groups < GROUPS_FROM

    @property
    def around(self) -> NDArray[np.float64]:
        """float64[R]: the resamples about the value, their spread that of the value on all groups; NaN where it is
        undefined, and all NaN where it is so in too many of them.
        """
        resampled = self.replicates.resampled[self.metric]
        defined = resampled[np.isfinite(resampled)]
        if self.groups < 2 or np.mean(~np.isfinite(resampled)) > UNDEFINED_ALLOWED:
            return np.full(len(resampled), math.nan)
        own = float(np.std(defined, ddof=1))
        scale = standard_error(defined, self.groups) / own if own else 0.0
        return np.asarray(self.value + (resampled - defined.mean()) * scale, np.float64)

    def interval(self) -> Estimate:
        """The interval that the metric has by itself, as every result has it."""
        return interval(self.replicates, self.metric)


@dataclass
class Resampler:
    """Resamples experiments, each set of samples once.

    Args:
        home: the store that has an experiment, by its key.
        identities: by key.
        plugins: whose tasks reduce the statistics.
        resamples: R.
        seed: of the resamples.
    """

    home: Mapping[str, Store]
    identities: Mapping[str, Mapping[str, Any]]
    plugins: Plugins
    resamples: int
    seed: int
    _known: dict[tuple[str, bool, frozenset[int]], Replicates] = field(default_factory=dict)
    _classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _finished: dict[str, tuple[str, frozenset[int]]] = field(default_factory=dict)
    _resampled: dict[tuple[str, frozenset[int]], tuple[tuple[str, ...], str]] = field(default_factory=dict)
    """The groups in which something was scored, in the order in which they were resampled, and their source."""

    def together(self, measures: Sequence[Measure]) -> list[ResampledMetric]:
        """The measures, on the samples that did not fail in any experiment on the same data."""
        shared: dict[str, frozenset[int]] = {}
        for cells, _ in measures:
            for cell in cells:
                data, finished = self._samples(cell)
                shared[data] = shared.get(data, finished) & finished
        return [self._mean(cells, metric, shared) for cells, metric in measures]

    def _samples(self, cell: ResultCell) -> tuple[str, frozenset[int]]:
        """Which data an experiment is on, and the indices of those samples that did not fail."""
        key = cell.facts["experiment"]
        if key not in self._finished:
            data = canonical({name: self.identities[key][name] for name in ("dataset", "limit")})
            good = frozenset(row.index for row in self.home[key].rows(key) if row.status == "ok")
            self._finished[key] = data, good
        return self._finished[key]

    def _mean(self, cells: Sequence[ResultCell], metric: str, shared: Mapping[str, frozenset[int]]) -> ResampledMetric:
        kept = [shared[self._samples(cell)[0]] for cell in cells]
        found = [self._replicates(cell, metric == RATE, some) for cell, some in zip(cells, kept, strict=True)]
        undefined = np.full(self.resamples, math.nan)
        value = float(np.mean([one.values.get(metric, math.nan) for one in found]))
        resampled = np.mean([one.resampled.get(metric, undefined) for one in found], axis=0)
        ratios = frozenset.intersection(*(one.ratios for one in found))
        groups = min(one.groups for one in found)
        mean = Replicates({metric: value}, {metric: resampled}, groups, ratios, found[0].source)
        return ResampledMetric(metric, mean, min(map(len, kept)))

    def _replicates(self, cell: ResultCell, rate: bool, samples: frozenset[int]) -> Replicates:
        key = cell.facts["experiment"]
        if (key, rate, samples) not in self._known:
            found = self._rates(cell, samples) if rate else self._reduced(cell, samples)
            self._known[key, rate, samples] = found
        return self._known[key, rate, samples]

    def _reduced(self, cell: ResultCell, samples: frozenset[int]) -> Replicates:
        key = cell.facts["experiment"]
        if key not in self._classes:
            self._classes |= classes_of(self.home[key], [cell])
        task = task_of(self.identities[key], self._classes[key], self.plugins)
        kept = [sample for sample in self.home[key].statistics(key) if sample.index in samples]
        kept.sort(key=lambda sample: sample.index)
        frames = [frame for sample in kept for frame in sample.statistics]
        groups = [sample.group for sample in kept for _ in sample.statistics]
        found = replicates(task, frames, groups, self.resamples, self.seed)
        self._resampled[key, samples] = tuple(dict.fromkeys(groups)), found.source
        return found

    def _rates(self, cell: ResultCell, samples: frozenset[int]) -> Replicates:
        """Of all samples; resampled by the groups, in the order, that the metrics are: the two are paired."""
        key = cell.facts["experiment"]
        if (key, samples) not in self._resampled:
            self._replicates(cell, rate=False, samples=samples)
        groups, source = self._resampled[key, samples]
        totals: dict[str, NDArray[np.float64]] = {}
        for row in self.home[key].rows(key):
            if row.index in samples:
                here = np.array([row.bits or 0, row.pixels or 0], np.float64)
                totals[row.group] = totals.get(row.group, np.zeros(2)) + here
        whole = _ratio(np.array(list(totals.values())).reshape(-1, 2))
        sums = np.array([totals[name] for name in groups]).reshape(-1, 2)
        resampled = np.full(self.resamples, math.nan)
        if len(sums) > 1:
            for number in range(self.resamples):
                resampled[number] = _ratio(sums[subset(len(sums), self.seed, number)])
        return Replicates({RATE: whole}, {RATE: resampled}, len(sums), frozenset(), source)


def _ratio(sums: NDArray[np.float64]) -> float:
    bits, pixels = sums.sum(axis=0)
    return float(bits / pixels) if pixels else math.nan
