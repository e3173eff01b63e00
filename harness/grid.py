"""The grid: what a request resolved to, opened and ready to be crossed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.model import Model, Precision, Weights
    from harness.request import Reference
    from harness.task import Task
    from harness.training.recipe import Recipe

__all__ = ["CodecChoice", "Course", "Grid", "Lesson", "School", "Subject"]


@dataclass(frozen=True)
class CodecChoice:
    """A codec with the levels it is asked at.

    Args:
        codec: the codec, levers included.
        levels: mildest compression first.
        plugin: distribution and version that provide it.
        baseline: whether it is the bit-exact baseline.
    """

    codec: Codec
    levels: tuple[Level, ...]
    plugin: str
    baseline: bool = False


@dataclass(frozen=True)
class Lesson:
    """What a model is trained on.

    Args:
        codec: what codes the training data, levers included; None leaves them uncompressed.
        levels: the level they are coded at; several for a random one of them for each example.
        plugin: distribution and version that provide the codec.
    """

    codec: Codec | None = None
    levels: tuple[Level, ...] = ()
    plugin: str = ""

    @property
    def mode(self) -> str:
        """What results call it."""
        if self.codec is None:
            return "clean"
        return "mixed" if len(self.levels) > 1 else "level"


@dataclass(frozen=True)
class Course:
    """A lesson, and what the model that learned it is tested on.

    Args:
        lesson: what is learned.
        tests: codecs with their levels.
    """

    lesson: Lesson
    tests: tuple[CodecChoice, ...]


@dataclass(frozen=True)
class School:
    """How the models of a subject are retrained.

    Args:
        dataset: the training split, opened.
        recipe: how.
        initial: the weights to start from; None starts from random ones.
        parts: the parts that are trained; empty for all.
    """

    dataset: Dataset
    recipe: Recipe
    initial: Weights | None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is compressed and judged: a task with a model on a dataset.

    Args:
        task: with the dataset's classes.
        model: not loaded.
        model_name: as results call it.
        weights: as the model resolved them.
        dataset: opened.
        dataset_name: as results call it.
        fingerprint: the dataset's.
        indices: the samples, ascending; a subset under a limit.
        batch: samples a batch.
        plugins: distribution and version that provide task, model and dataset.
        school: how it is retrained; None where nothing is.
    """

    task: Task
    model: Model
    model_name: str
    weights: Weights
    dataset: Dataset
    dataset_name: str
    fingerprint: str
    indices: tuple[int, ...]
    batch: int
    plugins: tuple[str, ...]
    school: School | None = None


@dataclass(frozen=True)
class Grid:
    """What is crossed: every subject with every codec at every level.

    Args:
        subjects: task, model and dataset together.
        codecs: with their levels; the baseline among them unless it was declined.
        precision: of the forward pass.
        limit: how many samples were asked for; None for all.
        seed: of the subset's draw, and of the first training.
        courses: the retrainings.
        seeds: how often each is done, each time from another seed.
        notes: what the user should know before a run, a sentence or two each.
        reference: what predictions are judged by.
    """

    subjects: Sequence[Subject]
    codecs: Sequence[CodecChoice]
    precision: Precision = "fp32"
    limit: int | None = None
    seed: int = 0
    courses: Sequence[Course] = ()
    seeds: int = 1
    notes: Sequence[str] = ()
    reference: Reference = "labels"
