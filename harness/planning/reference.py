"""What has to fit where models are judged by their own output, and what is to be said of sources that are coded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.errors import WeightsError

if TYPE_CHECKING:
    from harness.dataset import Dataset, Sample
    from harness.model import Weights
    from harness.planning.request import Request
    from harness.task import Task
    from harness.unit import Subject

__all__ = ["coded_sources", "known_classes", "reference_problems"]

_TRIED = 10
"""Samples that are looked at, until one is compressed."""
_LOSSLESS = frozenset({"rendered", "png", "bmp", "ppm", "tiff", "gif", "rawvideo", "ffv1", "huffyuv", "ffvhuff"})
"""Formats of sources that lost nothing, as datasets name them. (A TIFF may hold a JPEG; few do.)"""


def reference_problems(request: Request, subjects: Sequence[Subject]) -> list[str]:
    """What is wrong with how models are to be judged: a sentence each."""
    problems = []
    for subject in subjects:
        if request.reference == "labels" and not subject.dataset.labelled:
            problems.append(
                f"dataset {subject.dataset_name} has no labels: --reference predictions judges a model by its own "
                "output on the uncompressed frames."
            )
    if request.reference == "predictions" and request.retrain:
        problems.append("--retrain needs labels to learn from: it does not go with --reference predictions.")
    return problems


def known_classes(weights: Weights, task: Task, model: str) -> tuple[str, ...]:
    """The classes that a model tells apart, where no dataset says them; none for a task without classes.

    Args:
        weights: the model's.
        task: with any class, to see whether it has metrics of classes.
        model: its name.

    Raises:
        WeightsError: the task has classes, and nobody knows the model's.
    """
    if not weights.classes and "classes" in task.breakdowns():
        raise WeightsError(
            f"weights {weights.name} of model {model} do not say which classes they know, and a dataset without labels "
            "does not either. Use a checkpoint that harness train made, or name its classes in registry.toml "
            "([checkpoints.NAME] classes)."
        )
    return weights.classes


def coded_sources(dataset: Dataset, name: str) -> list[str]:
    """A sentence where a dataset's sources are compressed themselves, by the first samples that can be read."""
    readable = enumerate(_readable(dataset))
    found = next(((place, sample) for place, sample in readable if sample.source.format not in _LOSSLESS), None)
    if found is None:
        return []
    place, sample = found
    source = sample.source
    told = [source.format]
    if source.quality is not None:
        told.append(f"quality {source.quality}")
    frames = len(sample.frames)
    if source.bytes is not None and sample.fps:
        told.append(f"{8 * source.bytes * sample.fps / frames / 1000:,.0f} kbit/s")
    elif source.bytes is not None:
        told.append(
            f"{8 * source.bytes / (frames * sample.frames.shape[1] * sample.frames.shape[2]):.2f} bits per pixel"
        )
    which = "some" if place else "the"
    return [
        f"{which} sources of dataset {name} are compressed themselves ({', '.join(told)}): what is measured is "
        "compressing them again, and their own losses count as uncompressed."
    ]


def _readable(dataset: Dataset) -> Iterator[Sample]:
    """The first samples that can be read; what keeps the others from it, whatever it is, the run records."""
    for index in range(min(len(dataset), _TRIED)):
        with suppress(Exception):
            yield dataset[index]
