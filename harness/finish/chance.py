"""Tells the user if a model is no better on uncompressed frames than a prediction that ignores them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.dataset import Dataset
    from harness.records import MetricValue, SampleStatistics
    from harness.task import Task

__all__ = ["chance_warning"]

_READ = 20
"""Largest number of samples whose targets are read again for a task that asks for targets."""


def chance_warning(
    task: Task, dataset: Dataset, samples: Mapping[int, SampleStatistics], metrics: Sequence[MetricValue]
) -> str | None:
    """Return a warning if a model scores at chance; None if it is better, or if the task does not know the chance.

    Args:
        task: the task.
        dataset: the opened dataset.
        samples: the samples that did not fail, by their index in the dataset.
        metrics: the metrics of the uncompressed frames.
    """
    primary = next((metric for metric in metrics if metric.is_primary), None)
    if primary is None or primary.value is None or not math.isfinite(primary.value):
        return None
    statistics = [frame for index in sorted(samples) for frame in samples[index].statistics]
    chance = task.chance(statistics, _targets(dataset, sorted(samples)))
    if chance is None or not math.isfinite(chance):
        return None
    better = primary.value > chance if primary.higher_is_better else primary.value < chance
    if better:
        return None
    unit = f" {primary.unit}" if primary.unit else ""
    return (
        f"the model scores at chance without any compression: {primary.metric} {primary.value:.4g}{unit}, where a "
        f"prediction that ignores the image gets {chance:.4g}{unit}. So its drops say nothing about codecs. Usually "
        f"wrong are {task.suspects}. `harness results show` draws what it predicts."
    )


def _targets(dataset: Dataset, indices: Sequence[int]) -> Iterator[Any]:
    """Yield the targets of some samples, evenly spread over the given ones."""
    count = min(_READ, len(indices))
    for number in range(count):
        yield from dataset[indices[number * len(indices) // count]].targets.values()
