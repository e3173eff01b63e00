"""The grid: the codecs, models and datasets of a request, as created and opened objects."""

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
    """A codec with the levels to test.

    Args:
        codec: the codec, including its levers (`scale`, `fps`).
        levels: the levels, from the mildest to the strongest compression.
        plugin: the distribution that provides the codec, and its version.
        baseline: whether the codec is the bit-exact baseline.
        source: the digest of the plugin's source; None for a plugin of the harness itself.
    """

    codec: Codec
    levels: tuple[Level, ...]
    plugin: str
    baseline: bool = False
    source: str | None = None


@dataclass(frozen=True)
class TrainingData:
    """How the training data of a retraining are coded.

    Args:
        codec: the codec, including its levers; None leaves the training data uncompressed.
        levels: the levels. With several levels, each example is coded at a random one of them.
        plugin: the distribution that provides the codec, and its version.
        source: the digest of the plugin's source; None for a plugin of the harness itself.
    """

    codec: Codec | None = None
    levels: tuple[Level, ...] = ()
    plugin: str = ""
    source: str | None = None

    @property
    def mode(self) -> str:
        """The name of this mode in results: "clean", "mixed" or "level"."""
        if self.codec is None:
            return "clean"
        return "mixed" if len(self.levels) > 1 else "level"


@dataclass(frozen=True)
class Retraining:
    """A retraining, with the codecs on which the retrained model is tested.

    Args:
        data: how the training data are coded.
        tests: the codecs to test on, with their levels.
    """

    data: TrainingData
    tests: tuple[CodecChoice, ...]


@dataclass(frozen=True)
class TrainingSetup:
    """The settings that all retrainings of one subject (task, model and dataset) share.

    Args:
        dataset: the opened dataset of the training split.
        recipe: the training recipe.
        initial: the weights to start from; None for random weights.
        parts: the parts of the model to train; empty for all parts.
    """

    dataset: Dataset
    recipe: Recipe
    initial: Weights | None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The grid of a request. The plan combines every subject with every codec at every level.

    Args:
        subjects: the combinations of task, model and dataset.
        codecs: the codecs with their levels. The baseline is included unless the user excluded it.
        precision: the precision of the forward pass.
        limit: the maximum number of samples; None for all samples.
        seed: the seed that selects the subset for `limit`, and the seed of the first training.
        retrainings: the retrainings.
        seeds: how often each retraining is repeated; each repetition has another seed.
        notes: notes for the user before a run, one or two sentences each.
        reference: what predictions are compared with: the labels, or the model's own predictions on uncompressed
            frames.
        setups: for each subject, the settings of its retrainings; None for a subject that is not retrained.
        compiled: whether torch compiles the network.
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
    setups: Sequence[TrainingSetup | None] = ()
    compiled: bool = False
