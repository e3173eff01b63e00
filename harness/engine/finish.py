"""Turns an experiment's rows into its results: totals, metrics with intervals, paired drops against the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.engine.recovery import lacking, recoveries
from harness.media.quality import psnr_of
from harness.records import Comparison, MetricValue, SampleRow, SampleStatistics, Totals
from harness.statistics.intervals import Replicates, interval, paired_interval, replicates

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.records import Claim
    from harness.store import Store
    from harness.task import Task
    from harness.unit import Cell, Subject

__all__ = ["FinishedExperiment", "Finisher", "totals_of"]

METHOD = "delete-d jackknife"
"""What the database calls the method of `harness.statistics.intervals`."""


@dataclass(frozen=True)
class FinishedExperiment:
    """What became of an experiment.

    Args:
        totals: its totals.
        metrics: its metrics.
        failed: the reason when more samples failed than were allowed.
    """

    totals: Totals
    metrics: Sequence[MetricValue]
    failed: str | None


@dataclass
class _Sources:
    """Samples of one cell that a codec's level says little about."""

    count: int = 0
    text: str = ""


@dataclass
class _Resampled:
    """The resamples of one experiment, kept while others are compared with it."""

    key: str
    samples: dict[int, SampleStatistics]
    replicates: Replicates = field(repr=False)


class Finisher:
    """Computes and writes the results of experiments whose samples are all there.

    Args:
        store: where rows are and results go.
        progress: takes warnings.
        plugins: whose loggers are told.
        run: the run's id.
        resamples: from how many the intervals are computed.
        seed: of the resampling.
    """

    def __init__(
        self, store: Store, progress: Progress, plugins: Plugins, run: int, resamples: int = 1000, seed: int = 0
    ) -> None:
        self.store = store
        self.progress = progress
        self.plugins = plugins
        self.run = run
        self.resamples = resamples
        self.seed = seed
        self._baseline: _Resampled | None = None
        self._last: _Resampled | None = None
        self._sources: dict[str, list[tuple[str | None, int | None]]] = {}

    def see(self, row: SampleRow) -> None:
        """Take note of how a sample's source was stored."""
        if row.source_quality is not None:
            self._sources.setdefault(row.key, []).append((row.source_format, row.source_quality))

    def finish(self, subject: Subject, cell: Cell, claim: Claim, max_failures: int) -> FinishedExperiment:
        """Compute totals, metrics and intervals from the stored rows, and write them."""
        experiment, task = cell.experiment, subject.task
        key = experiment.key
        self._warn_of_sources(cell)
        totals = replace(
            totals_of(self.store.rows(key)),
            interval_method=METHOD,
            resamples=self.resamples,
            interval_seed=self.seed,
        )
        drawn = self._draw(key, task)
        metrics = [self._metric(task, drawn, m.name) for m in task.all_metrics()]
        failed = self._too_many(key, totals, max_failures)
        self.store.finish(key, claim, totals, metrics, failed)
        self._last = drawn
        if failed is None and cell.exact:
            self._baseline = drawn
        status = "failed" if failed else "finished"
        problems = self.plugins.emit(
            "harness_experiment_finished",
            {"run": self.run, "experiment": experiment, "status": status, "totals": totals, "metrics": metrics},
        )
        for problem in problems:
            self.progress.warning(problem)
        return FinishedExperiment(totals, metrics, failed)

    # Metrics

    def _draw(self, key: str, task: Task) -> _Resampled:
        """The resamples of an experiment's finished samples."""
        return self._draw_samples(key, task, {s.index: s for s in self.store.statistics(key)})

    def _draw_samples(self, key: str, task: Task, samples: dict[int, SampleStatistics]) -> _Resampled:
        ordered = [samples[index] for index in sorted(samples)]
        frames = [frame for sample in ordered for frame in sample.statistics]
        groups = [sample.group for sample in ordered for _ in sample.statistics]
        return _Resampled(key, samples, replicates(task, frames, groups, self.resamples, self.seed))

    def _metric(self, task: Task, drawn: _Resampled, name: str) -> MetricValue:
        metric = next(m for m in task.all_metrics() if m.name == name)
        found = interval(drawn.replicates, name)
        return MetricValue(
            metric=name,
            value=found.value,
            ci_low=found.low,
            ci_high=found.high,
            n=len(drawn.samples),
            is_primary=metric.primary,
            higher_is_better=metric.higher_is_better,
            unit=metric.unit,
            reason=found.reason,
        )

    def _too_many(self, key: str, totals: Totals, max_failures: int) -> str | None:
        if totals.failed <= max_failures and totals.samples:
            return None
        first = next(row for row in self.store.rows(key) if row.status == "failed")
        count = f"{totals.failed} of {totals.samples + totals.failed} samples failed"
        return f"{count} (allowed: {max_failures}); sample {first.id}: {first.error}"

    # Comparisons

    def compare(self, task: Task, experiments: Sequence[Experiment]) -> None:
        """Paired drops of those experiments that are finished, as their baseline is, and have none yet.

        Whichever of two is finished last, here or by another run, and whatever was cut off in between: the drops of a
        plan's experiments are there when its run ends.
        """
        lacking = self.store.uncompared([experiment.key for experiment in experiments])
        for experiment in experiments:
            if experiment.key not in lacking or experiment.baseline is None:
                continue
            if self._baseline is None or self._baseline.key != experiment.baseline:
                self._baseline = self._draw(experiment.baseline, task)
            last = self._last
            drawn = last if last and last.key == experiment.key else self._draw(experiment.key, task)
            self.store.compare(self._drops(drawn, self._baseline, task))

    def _drops(self, drawn: _Resampled, baseline: _Resampled, task: Task) -> list[Comparison]:
        """Drops on the samples that finished in both; positive when the model got worse."""
        shared = drawn.samples.keys() & baseline.samples.keys()
        if len(shared) < len(drawn.samples):
            drawn = self._draw_samples(drawn.key, task, {i: drawn.samples[i] for i in shared})
        if len(shared) < len(baseline.samples):
            baseline = self._draw_samples(baseline.key, task, {i: baseline.samples[i] for i in shared})
        drops = []
        for metric in task.all_metrics():
            found = paired_interval(drawn.replicates, baseline.replicates, metric.name, metric.higher_is_better)
            drops.append(
                Comparison(
                    key=drawn.key,
                    other=baseline.key,
                    metric=metric.name,
                    kind="drop",
                    value=found.value,
                    ci_low=found.low,
                    ci_high=found.high,
                    n=len(shared),
                    reason=found.reason,
                )
            )
        return drops

    def recover(self, task: Task, experiments: Sequence[Experiment]) -> None:
        """What retraining won back, wherever it is not known yet of a plan's experiments."""
        for quartet in lacking(self.store, experiments):
            self.store.compare(recoveries(quartet, task, lambda keys: self._together(task, keys)))

    def _together(self, task: Task, keys: Sequence[str]) -> tuple[list[Replicates], int]:
        """The resamples of experiments on the samples that finished in all of them, and how many these are."""
        kept = [{s.index: s for s in self.store.statistics(key)} for key in keys]
        shared = set.intersection(*(set(samples) for samples in kept))
        drawn = [
            self._draw_samples(key, task, {i: samples[i] for i in shared})
            for key, samples in zip(keys, kept, strict=True)
        ]
        return [one.replicates for one in drawn], len(shared)

    # Warnings

    def _warn_of_sources(self, cell: Cell) -> None:
        """Say once for a cell how many of its sources were already coded more strongly than its level."""
        found = _Sources()
        for source_format, quality in self._sources.pop(cell.experiment.key, []):
            if text := cell.codec.warn(cell.level, source_format, quality):
                found.count += 1
                found.text = found.text or text
        if found.count:
            self.progress.warning(f"{cell.experiment.label}: {found.count} samples, e.g.: {found.text}")


def totals_of(rows: Iterable[SampleRow]) -> Totals:
    """Totals over the rows of an experiment; rates and times over those that did not fail.

    `bpp` is total bits / total pixels; its mean over samples stands under its own name. Totals of whole numbers are
    exact, totals of times are rounded once (`math.fsum`), so that the order of rows does not matter.
    """
    good: list[SampleRow] = []
    failed = 0
    for row in rows:
        if row.status == "ok":
            good.append(row)
        else:
            failed += 1
    if not good:
        return Totals(samples=0, failed=failed)
    bits = sum(row.bits or 0 for row in good)
    pixels = sum(row.pixels or 0 for row in good)
    durations = [row.duration for row in good if row.duration is not None]
    duration = math.fsum(durations) if len(durations) == len(good) else 0.0
    errors = [row.squared_error for row in good if row.squared_error is not None]
    sources = [row.source_bytes for row in good if row.source_bytes is not None]
    return Totals(
        samples=len(good),
        failed=failed,
        bits=bits,
        pixels=pixels,
        bpp=bits / pixels,
        bpp_mean=math.fsum((row.bits or 0) / (row.pixels or 1) for row in good) / len(good),
        kbps=bits / duration / 1000 if duration else None,
        psnr=psnr_of(sum(errors), 3 * pixels) if len(errors) == len(good) else None,
        source_bpp=8 * sum(sources) / pixels if len(sources) == len(good) else None,
        encode_ms=math.fsum(row.encode_ms or 0 for row in good) / len(good),
        decode_ms=math.fsum(row.decode_ms or 0 for row in good) / len(good),
        seconds=math.fsum(row.seconds or 0 for row in good),
        groups=len({row.group for row in good}),
    )
