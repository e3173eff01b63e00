"""The grid: what a request resolved to, opened and ready to be crossed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.model import Precision, Weights
    from harness.planning.request import Reference
    from harness.training.recipe import Recipe
    from harness.unit import Subject

__all__ = ["CodecChoice", "Grid", "Retraining", "TrainingData", "TrainingSetup"]


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
class TrainingData:
    """How the data that a model is trained on are coded.

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
class Retraining:
    """A retraining, and what the retrained model is tested on.

    Args:
        data: how its training data are coded.
        tests: codecs with their levels.
    """

    data: TrainingData
    tests: tuple[CodecChoice, ...]


@dataclass(frozen=True)
class TrainingSetup:
    """What all retrainings of one subject share.

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
class Grid:
    """What is crossed: every subject with every codec at every level.

    Args:
        subjects: task, model and dataset together.
        codecs: with their levels; the baseline among them unless it was declined.
        precision: of the forward pass.
        limit: how many samples were asked for; None for all.
        seed: of the subset's draw, and of the first training.
        retrainings: what is retrained.
        seeds: how often each retraining is done, each time from another seed.
        notes: what the user should know before a run, a sentence or two each.
        reference: what predictions are judged by.
        setups: of each subject, what its retrainings share; empty where nothing is retrained.
    """

    subjects: Sequence[Subject]
    codecs: Sequence[CodecChoice]
    precision: Precision = "fp32"
    limit: int | None = None
    seed: int = 0
    retrainings: Sequence[Retraining] = ()
    seeds: int = 1
    notes: Sequence[str] = ()
    reference: Reference = "labels"
    setups: Sequence[TrainingSetup] = ()
