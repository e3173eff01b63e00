"""Resamples the metrics of several experiments together, on the frames that were judged in all of them.

What a store keeps of the resampled metrics is used if it is right (`harness.statistics.kept`) and if all frames that
the experiment judged are asked for. Otherwise the statistics are resampled, with the same result. Of an experiment only
the metrics that are asked for are computed. An experiment of which another metric is asked for later is resampled for
all its metrics, because then it is likely that more will be asked for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.experiment import canonical
from harness.planning.recorded_task import task_of
from harness.results.classes import classes_of
from harness.results.kept import KeptMetrics
from harness.statistics.agreement import Agreement
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import (
    GROUPS_FROM,
    HOLDS_FROM,
    UNDEFINED_ALLOWED,
    Replicates,
    interval,
    replicates,
    standard_error,
    subsets,
)
from harness.statistics.judged import last_frames
from harness.statistics.kept import READING_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.discovery.plugins import Plugins
    from harness.results.cells import ResultCell
    from harness.statistics.kept import Restored
    from harness.store import Store

__all__ = ["RATE", "Measure", "ResampledMetric", "Resampler"]

RATE = "bpp"
"""The name that selects the rate (bits per pixel of the source) in place of a metric."""

Judged = Mapping[int, float]
"""The samples of an experiment by index, with the number of their last scored frames that were judged; infinite if all
were. With `fps=` the first frames of a clip are not (`harness.statistics.judged`)."""

Measure = tuple[Sequence["ResultCell"], str]
"""Experiments, and the name of a metric. The metric is averaged over the experiments (a training's several seeds)."""


@dataclass(frozen=True)
class ResampledMetric:
    """A metric with its resamples, averaged over one or more experiments.

    Args:
        metric: the metric's name.
        replicates: the metric's value on all samples, and on each resample.
        samples: the number of samples that the metric was computed from.
    """

    metric: str
    replicates: Replicates
    samples: int

    @property
    def value(self) -> float:
        """The metric's value on all samples; NaN if it is undefined."""
        return self.replicates.values[self.metric]

    @property
    def groups(self) -> int:
        """The number of groups of samples that the metric was computed from."""
        return self.replicates.groups

    @property
    def few(self) -> bool:
        """Whether there are fewer samples or groups than the simulations showed to be enough for reliable intervals."""
        return self.samples < HOLDS_FROM or self.groups < GROUPS_FROM

    @property
    def around(self) -> NDArray[np.float64]:
        """The resampled values, scaled so that their standard deviation is the standard error: float64[R].

        Their mean is the metric's value on all samples. A resample in which the metric is undefined has NaN. All values
        are NaN if there are too many such resamples, or only one group.
        """
        resampled = self.replicates.resampled[self.metric]
        defined = resampled[np.isfinite(resampled)]
        if self.groups < 2 or np.mean(~np.isfinite(resampled)) > UNDEFINED_ALLOWED:
            return np.full(len(resampled), math.nan)
        deviation = float(np.std(defined, ddof=1))
        scale = standard_error(defined, self.groups) / deviation if deviation else 0.0
        return np.asarray(self.value + (resampled - defined.mean()) * scale, np.float64)

    def interval(self) -> Estimate:
        """Return the metric's value with its 95% interval, which is not paired with another experiment."""
        return interval(self.replicates, self.metric)


@dataclass
class Resampler:
    """Resamples the metrics of experiments. What was resampled on the same set of samples is not computed again.

    Args:
        home: experiment key -> the store that contains the experiment.
        identities: experiment key -> the experiment's identity.
        plugins: the plugins that provide the tasks.
        resamples: the number of resamples (R).
        seed: the seed of the resamples.
        warn: is called with a sentence if resampled metrics are kept, but cannot be used.
    """

    home: Mapping[str, Store]
    identities: Mapping[str, Mapping[str, Any]]
    plugins: Plugins
    resamples: int
    seed: int
    warn: Callable[[str], None] = warnings.warn
    _known: dict[tuple[str, frozenset[tuple[int, float]]], tuple[Replicates, bool]] = field(default_factory=dict)
    """(experiment key, samples) -> the metrics that were asked for, and whether these are all."""
    _rates: dict[tuple[str, frozenset[tuple[int, float]]], Replicates] = field(default_factory=dict)
    _classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _finished: dict[str, tuple[str, Judged]] = field(default_factory=dict)
    _resampled: dict[tuple[str, frozenset[tuple[int, float]]], tuple[tuple[str, ...], str]] = field(
        default_factory=dict
    )
    """(experiment key, samples) -> the groups that have judged frames, in resampling order, and `Replicates.source`."""

    def __post_init__(self) -> None:
        settings = (self.plugins, self.resamples, self.seed)
        self._kept = KeptMetrics(self.home, self.identities, *settings, self.warn)

    @classmethod
    def of(
        cls,
        store: Store,
        cells: Sequence[ResultCell],
        plugins: Plugins,
        resamples: int = 1000,
        warn: Callable[[str], None] = warnings.warn,
    ) -> Resampler:
        """Return what resamples the experiments of one store, with the seed of a run's intervals.

        Every command uses it with the same seed and number of resamples, so that all give the same intervals. A run
        with another `--seed` keeps no resamples.

        Args:
            store: the open store, which must stay open.
            cells: the experiments, with the baselines.
            plugins: the plugins that provide the tasks.
            resamples: the number of resamples.
            warn: as above.
        """
        keys = [cell.facts["experiment"] for cell in cells]
        return cls(dict.fromkeys(keys, store), store.identities(keys), plugins, resamples, READING_SEED, warn)

    def together(self, measures: Sequence[Measure]) -> list[ResampledMetric]:
        """Resample each measure, on the frames that were judged in all of the measures' experiments on the same data.

        Args:
            measures: the experiments and metrics.
        """
        shared: dict[str, Judged] = {}
        for cells, _ in measures:
            for cell in cells:
                data, judged = self._samples(cell)
                before = shared.get(data, judged)
                shared[data] = {index: min(before[index], judged[index]) for index in before if index in judged}
        wanted: dict[str, set[str]] = {}
        for cells, metric in measures:
            for cell in cells:
                wanted.setdefault(cell.facts["experiment"], set()).update({metric} - {RATE})
        return [self._mean(cells, metric, shared, wanted) for cells, metric in measures]

    def _samples(self, cell: ResultCell) -> tuple[str, Judged]:
        """Return an experiment's data (dataset and limit, as text) and its samples that did not fail."""
        key = cell.facts["experiment"]
        if key not in self._finished:
            identity = self.identities[key]
            data = canonical({name: identity[name] for name in ("dataset", "limit")})
            self._finished[key] = data, self._judged(cell)
        return self._finished[key]

    def _judged(self, cell: ResultCell) -> Judged:
        key, kept = cell.facts["experiment"], self._restored(cell)
        drops_frames = self.identities[key].get("codec", {}).get("options", {}).get("fps") is not None
        if kept is not None and drops_frames:
            return {index: frames for index, frames in kept.frames.items() if frames}
        if kept is not None:
            return dict.fromkeys(kept.frames, math.inf)
        if drops_frames:
            return {s.index: len(s.statistics) for s in self.home[key].statistics(key) if s.statistics}
        return {row.index: math.inf for row in self.home[key].rows(key) if row.status == "ok"}

    def _restored(self, cell: ResultCell) -> Restored | None:
        return self._kept.of(cell.facts["experiment"], lambda: self._classes_of(cell))

    def _classes_of(self, cell: ResultCell) -> tuple[str, ...]:
        key = cell.facts["experiment"]
        if key not in self._classes:
            self._classes |= classes_of(self.home[key], [cell])
        return self._classes[key]

    def _mean(
        self,
        cells: Sequence[ResultCell],
        metric: str,
        shared: Mapping[str, Judged],
        wanted: Mapping[str, Collection[str]],
    ) -> ResampledMetric:
        samples = [shared[self._samples(cell)[0]] for cell in cells]
        drawn = [
            self._rate(cell, judged)
            if metric == RATE
            else self._metrics(cell, judged, wanted[cell.facts["experiment"]])
            for cell, judged in zip(cells, samples, strict=True)
        ]
        undefined = np.full(self.resamples, math.nan)
        value = float(np.mean([of_cell.values.get(metric, math.nan) for of_cell in drawn]))
        resampled = np.mean([of_cell.resampled.get(metric, undefined) for of_cell in drawn], axis=0)
        ratios = frozenset.intersection(*(of_cell.ratios for of_cell in drawn))
        groups = min(of_cell.groups for of_cell in drawn)
        hits = drawn[0].hits if len(drawn) == 1 else {}
        certain = all(of_cell.certain for of_cell in drawn)
        seed = drawn[0].seed
        own = {metric: min(of_cell.groups_of(metric) for of_cell in drawn)}
        mean = Replicates(
            {metric: value}, {metric: resampled}, groups, ratios, drawn[0].source, seed, hits, certain, own
        )
        return ResampledMetric(metric, mean, min(map(len, samples)))

    def _metrics(self, cell: ResultCell, samples: Judged, wanted: Collection[str]) -> Replicates:
        """Resample the wanted metrics of an experiment, or all of them if it was resampled for others before."""
        key = cell.facts["experiment"]
        which = key, frozenset(samples.items())
        known, complete = self._known.get(which, (None, False))
        if known is not None and (complete or known.values.keys() >= set(wanted)):
            return known
        if known is None and (found := self._restored(cell)) is not None and found.covers(samples):
            self._resampled[which] = found.groups, found.replicates.source
            if found.replicates.values.keys() >= set(wanted):
                # A model's agreement with itself is exact, not an estimate.
                certain = cell.is_baseline and self.identities[key].get("reference") == "predictions"
                self._known[which] = replace(found.replicates, certain=certain), False
                return self._known[which][0]
        task = task_of(self.identities[key], self._classes_of(cell), self.plugins)
        stored = self.home[key].statistics(key)
        used = [last_frames(sample, samples[sample.index]) for sample in stored if sample.index in samples]
        used.sort(key=lambda sample: sample.index)
        frames = [frame for sample in used for frame in sample.statistics]
        groups = [sample.group for sample in used for _ in sample.statistics]
        only = wanted if known is None or not known.values else None
        drawn = replicates(task, frames, groups, self.resamples, self.seed, only=only)
        if cell.is_baseline and isinstance(task, Agreement):
            drawn = replace(drawn, certain=True)
        self._known[which] = drawn, only is None
        self._resampled[which] = tuple(dict.fromkeys(groups)), drawn.source
        return drawn

    def _rate(self, cell: ResultCell, samples: Judged) -> Replicates:
        which = cell.facts["experiment"], frozenset(samples.items())
        if which not in self._rates:
            self._rates[which] = self._rate_replicates(cell, samples)
        return self._rates[which]

    def _rate_replicates(self, cell: ResultCell, samples: Judged) -> Replicates:
        """Resample the rate. The value is over all samples.

        The same groups are resampled in the same order as for the metrics, so rate and metrics are paired.
        """
        key = cell.facts["experiment"]
        which = key, frozenset(samples.items())
        if which not in self._resampled:
            self._metrics(cell, samples, ())
        groups, source = self._resampled[which]
        totals: dict[str, tuple[float, float]] = {}
        for row in self.home[key].rows(key):
            if row.index in samples:
                bits, pixels = totals.get(row.group, (0.0, 0.0))
                totals[row.group] = bits + float(row.bits or 0), pixels + float(row.pixels or 0)
        whole = _ratio(np.array(list(totals.values()), np.float64).reshape(-1, 2))
        sums = np.array([totals[name] for name in groups], np.float64).reshape(-1, 2)
        resampled = np.full(self.resamples, math.nan)
        if len(sums) > 1:
            for number, chosen in enumerate(subsets(len(sums), self.seed, range(self.resamples))):
                resampled[number] = _ratio(sums[chosen])
        return Replicates({RATE: whole}, {RATE: resampled}, len(sums), frozenset(), source, self.seed)


def _ratio(sums: NDArray[np.float64]) -> float:
    bits, pixels = sums.sum(axis=0)
    return float(bits / pixels) if pixels else math.nan
