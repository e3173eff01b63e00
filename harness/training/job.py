"""The description of a training, and the key that identifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import TrainingError
from harness.experiment import key_of
from harness.files import cache_dir
from harness.training.recipe import Recipe
from harness.training.state import Place

if TYPE_CHECKING:
    from harness.dataset import Dataset
    from harness.model import Model, Weights
    from harness.training.frame_coding import FrameCoding

__all__ = ["LOOP_VERSION", "Job", "place_of"]

LOOP_VERSION = 2
"""A part of every training's key. Increase it when the same job would give other weights."""


@dataclass(frozen=True)
class Job:
    """The description of a training.

    Args:
        model: a trainable model, without its network.
        dataset: the opened dataset to train on.
        recipe: the training recipe.
        seed: the seed of the random initial weights, the order of the samples and the augmentation.
        initial: the weights to start from; None for random weights.
        through: the coding of the frames before the model prepares them (a codec at a level); None for uncompressed
            frames.
        parts: the parts of the model to train; empty for all parts.
        sources: the digests of the sources of third-party plugins, by "model" and "dataset"; others do not count.
    """

    model: Model
    dataset: Dataset
    recipe: Recipe
    seed: int = 0
    initial: Weights | None = None
    through: FrameCoding | None = None
    parts: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """The parts of the model that are trained."""
        return self.parts or self.model.parts

    def check(self) -> None:
        """Check that the model can be trained and has all parts that the job names.

        Raises:
            TrainingError: the model cannot be trained, or does not have a part.
        """
        if not self.model.trainable:
            raise TrainingError(f"model {self.model.name} cannot be trained.")
        for part in (*self.parts, *(self.recipe.parts or {})):
            if part not in self.model.parts:
                raise TrainingError(
                    f"model {self.model.name} has no part {part!r}. There is: {', '.join(self.model.parts)}."
                )

    def facts(self) -> dict[str, Any]:
        """Return everything that determines the resulting weights (on one kind of machine)."""
        sources = {f"{kind}_source": self.sources[kind] for kind in ("model", "dataset") if kind in self.sources}
        return {
            "loop": LOOP_VERSION,
            "model": self.model.name,
            "model_config": self.model.deciding_config("training"),
            "model_fingerprint": dict(self.model.fingerprint()),
            "dataset": self.dataset.name,
            "dataset_config": self.dataset.lasting_config(),
            "dataset_fingerprint": self.dataset.fingerprint(),
            "decoders": dict(self.dataset.decoders()),
            **({"dataset_revision": self.dataset.revision} if self.dataset.revision > 1 else {}),
            **sources,
            "classes": list(self.dataset.classes),
            "recipe": self.recipe.identity(),
            "seed": self.seed,
            "initial": self.initial.digest if self.initial else "",
            "through": self.through.key if self.through else "",
            "parts": list(self.trained_parts),
            "libraries": {
                "codec-harness": version("codec-harness"),
                "torch": version("torch"),
                # The distributions lightning and lightning-fabric have the same version and the same Fabric. The entry
                # keeps the name "lightning", which earlier versions used, so that earlier trainings keep their keys.
                "lightning": version("lightning-fabric"),
                "numpy": version("numpy"),
            },
        }

    def key(self) -> str:
        """Return the SHA-256 (hex) of `facts`, which identifies the training."""
        return key_of(self.facts())


def place_of(job: Job) -> Place:
    """Return the folder of a training in the cache folder. Equal jobs have the same folder and share checkpoints."""
    return Place(cache_dir() / "training" / Path(job.key()[:24]))
