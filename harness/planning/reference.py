"""Checks for `--reference predictions`, and notes about datasets whose source files are already compressed."""

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
"""The maximum number of samples to examine for a compressed source."""
_LOSSLESS = frozenset({"rendered", "png", "bmp", "ppm", "tiff", "gif", "rawvideo", "ffv1", "huffyuv", "ffvhuff"})
"""Lossless source formats, by the names that datasets use. (A TIFF may contain a JPEG, but few do.)"""


def reference_problems(request: Request, subjects: Sequence[Subject]) -> list[str]:
    """Return a sentence for each conflict between a request's reference (labels or predictions) and its other parts."""
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
    """Return the classes of a model's weights, for a dataset without labels; empty for a task without classes.

    Args:
        weights: the model's weights.
        task: the task, created with some class, so that it shows whether it has per-class metrics.
        model: the model's name, for the error message.

    Raises:
        WeightsError: the task has classes, but the weights do not state theirs.
    """
    if not weights.classes and "classes" in task.breakdowns():
        raise WeightsError(
            f"weights {weights.name} of model {model} do not say which classes they know, and a dataset without labels "
            "does not either. Use a checkpoint that harness train made, or name its classes in registry.toml "
            "([checkpoints.NAME] classes)."
        )
    return weights.classes


def coded_sources(dataset: Dataset, name: str) -> list[str]:
    """Return a list with a note if the source files of a dataset's first samples are lossy; otherwise an empty list."""
    readable = enumerate(_readable(dataset))
    lossy = next(((number, sample) for number, sample in readable if sample.source.format not in _LOSSLESS), None)
    if lossy is None:
        return []
    number, sample = lossy
    source = sample.source
    details = [source.format]
    if source.quality is not None:
        details.append(f"quality {source.quality}")
    frames = len(sample.frames)
    if source.bytes is not None and sample.fps:
        details.append(f"{8 * source.bytes * sample.fps / frames / 1000:,.0f} kbit/s")
    elif source.bytes is not None:
        details.append(
            f"{8 * source.bytes / (frames * sample.frames.shape[1] * sample.frames.shape[2]):.2f} bits per pixel"
        )
    which = "some" if number else "the"
    return [
        f"{which} sources of dataset {name} are compressed themselves ({', '.join(details)}): what is measured is "
        "compressing them again, and their own losses count as uncompressed."
    ]


def _readable(dataset: Dataset) -> Iterator[Sample]:
    """Yield the readable ones of the first samples. Errors of the others are ignored here; the run records them."""
    for index in range(min(len(dataset), _TRIED)):
        with suppress(Exception):
            yield dataset[index]
