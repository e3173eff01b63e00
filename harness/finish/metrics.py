"""Computes an experiment's metrics with their intervals, and its drops against the baseline, from its statistics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness.batches.preparing import reason
from harness.finish.chance import chance_warning
from harness.records import Comparison, MetricValue, SampleStatistics
from harness.statistics.agreement import Agreement
from harness.statistics.drops import paired_interval
from harness.statistics.intervals import Replicates, interval, replicates
from harness.statistics.judged import judged_in_all
from harness.statistics.kept import Draft, draft_of

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness.task import Metric, Task
    from harness.unit import Cell, Subject

__all__ = ["Calculated", "Calculator", "Resampled", "Samples"]

Samples = Mapping[int, SampleStatistics]
"""The statistics of the samples that did not fail, by their index in the dataset."""


@dataclass(frozen=True)
class Resampled:
    """The samples of one experiment, and its metrics on all of them and on all resamples."""

    key: str
    samples: Samples
    replicates: Replicates = field(repr=False)

    @cached_property
    def judged(self) -> int:
        """The number of samples of which a frame was judged."""
        return sum(bool(sample.statistics) for sample in self.samples.values())


@dataclass(frozen=True)
class Calculated:
    """What was computed for one experiment.

    Args:
        metrics: the metrics.
        drops: the drops against the baseline; empty if its statistics were not given.
        judged: the number of samples of which a frame was judged.
        warning: a warning for the user; empty for none.
        draft: the resampled metrics that a store can keep; None if nothing was resampled.
    """

    metrics: Sequence[MetricValue]
    drops: Sequence[Comparison]
    judged: int
    warning: str = ""
    draft: Draft | None = None


class Calculator:
    """Computes metrics and drops. It keeps the resamples of the baseline, which every cell is compared with.

    Args:
        resamples: the number of resamples for the intervals.
        seed: the seed of the resampling.

    Attributes:
        baseline: the key of the baseline whose resamples are kept; None for none.
    """

    def __init__(self, resamples: int = 1000, seed: int = 0) -> None:
        self._resamples = resamples
        self._seed = seed
        self._baseline: Resampled | None = None

    @property
    def baseline(self) -> str | None:
        return self._baseline.key if self._baseline else None

    def resample(self, task: Task, key: str, samples: Samples, only: Collection[str] | None = None) -> Resampled:
        """Compute the metrics of an experiment, or only some of them, on all resamples of its samples."""
        ordered = [samples[index] for index in sorted(samples)]
        frames = [frame for sample in ordered for frame in sample.statistics]
        groups = [sample.group for sample in ordered for _ in sample.statistics]
        return Resampled(key, samples, replicates(task, frames, groups, self._resamples, self._seed, only=only))

    def keep_baseline(self, task: Task, key: str, samples: Samples) -> None:
        """Keep the resamples of a baseline, for the cells that follow."""
        self._baseline = _as_baseline(task, self.resample(task, key, samples))

    def calculate(self, subject: Subject, cell: Cell, samples: Samples, lossless: bool = False) -> Calculated:
        """Compute an experiment's metrics, and its drops if its baseline is kept.

        An uncompressed experiment is kept as the baseline of those that follow.

        Args:
            subject: the model, the dataset and the task.
            cell: the experiment.
            samples: its samples that did not fail.
            lossless: whether the pretrained model got exactly the frames of the baseline.
        """
        task, experiment = subject.task, cell.experiment
        resampled = self.resample(task, experiment.key, samples)
        if cell.exact and experiment.baseline is None:
            resampled = _as_baseline(task, resampled)
        metrics = [_metric(resampled, metric) for metric in task.all_metrics()]
        drops: list[Comparison] = []
        if self._baseline is not None and self._baseline.key == experiment.baseline:
            drops = self.drops(task, resampled, lossless)
        warning = ""
        if cell.exact:
            warning = _chance(subject, resampled, metrics)
            if experiment.baseline is None:
                self._baseline = resampled
        return Calculated(metrics, drops, resampled.judged, warning, self.draft(task, resampled))

    def draft(self, task: Task, resampled: Resampled) -> Draft | None:
        """Return the resampled metrics of an experiment that are worth keeping."""
        ordered = [resampled.samples[index] for index in sorted(resampled.samples)]
        return draft_of(resampled.replicates, ordered, task, self._resamples)

    def metrics(self, task: Task, experiment: Experiment, samples: Samples) -> list[MetricValue]:
        """Compute the metrics of a finished experiment again."""
        resampled = self.resample(task, experiment.key, samples)
        if experiment.baseline is None and experiment.codec == "none":
            resampled = _as_baseline(task, resampled)
        return [_metric(resampled, metric) for metric in task.all_metrics()]

    def drops(self, task: Task, resampled: Resampled, lossless: bool = False) -> list[Comparison]:
        """Compute the drops against the kept baseline, on the frames that both judged; positive is worse.

        Args:
            task: the task.
            resampled: the experiment.
            lossless: whether the pretrained model got exactly the frames of the baseline.
        """
        assert self._baseline is not None
        shared = judged_in_all([resampled.samples, self._baseline.samples])
        first, second = (
            whole if _same(samples, whole.samples) else self.resample(task, whole.key, samples)
            for whole, samples in zip((resampled, self._baseline), shared, strict=True)
        )
        second = _as_baseline(task, second)
        drops = []
        for metric in task.all_metrics():
            up = metric.higher_is_better
            estimate = paired_interval(first.replicates, second.replicates, metric.name, up, lossless)
            drops.append(
                Comparison(
                    key=first.key,
                    other=second.key,
                    metric=metric.name,
                    kind="drop",
                    value=estimate.value,
                    ci_low=estimate.low,
                    ci_high=estimate.high,
                    n=len(shared[0]),
                    reason=estimate.reason,
                )
            )
        return drops


def _as_baseline(task: Task, resampled: Resampled) -> Resampled:
    """Return a baseline. A model's agreement with itself is exact, not an estimate."""
    if not isinstance(task, Agreement) or resampled.replicates.certain:
        return resampled
    return replace(resampled, replicates=replace(resampled.replicates, certain=True))


def _metric(resampled: Resampled, metric: Metric) -> MetricValue:
    estimate = interval(resampled.replicates, metric.name)
    return MetricValue(
        metric=metric.name,
        value=estimate.value,
        ci_low=estimate.low,
        ci_high=estimate.high,
        n=resampled.judged,
        is_primary=metric.primary,
        higher_is_better=metric.higher_is_better,
        unit=metric.unit,
        reason=estimate.reason,
    )


def _chance(subject: Subject, resampled: Resampled, metrics: Sequence[MetricValue]) -> str:
    """Return a warning if the model is not better on uncompressed frames than a prediction that ignores them."""
    try:
        return chance_warning(subject.task, subject.dataset, resampled.samples, metrics) or ""
    except Exception as error:  # noqa: BLE001 - the results are whole without this comparison; the error is told
        return f"it is not known what scores at chance: {reason('the comparison', error)}"


def _same(some: Samples, whole: Samples) -> bool:
    """Return whether a part of an experiment's samples and frames (`judged_in_all`) is all of them."""
    return len(some) == len(whole) and all(some[index] is sample for index, sample in whole.items() if index in some)
