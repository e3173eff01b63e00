"""One training, and what identifies it."""

from __future__ import annotations

from dataclasses import dataclass
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
    from harness.training.through import FrameCoding

__all__ = ["LOOP_VERSION", "Job", "place_of"]

LOOP_VERSION = 2
"""Raised when the same job would give other weights: part of every training's key."""


@dataclass(frozen=True)
class Job:
    """A training.

    Args:
        model: a trainable model, without its network.
        dataset: what is trained on, opened.
        recipe: how.
        seed: of the first weights, the order and the augmentation.
        initial: weights to start from; None starts from random ones.
        through: what frames go through before they are prepared (a codec at a level); None for nothing.
        parts: the parts that are trained; empty for all.
    """

    model: Model
    dataset: Dataset
    recipe: Recipe
    seed: int = 0
    initial: Weights | None = None
    through: FrameCoding | None = None
    parts: tuple[str, ...] = ()

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """The parts that are trained."""
        return self.parts or self.model.parts

    def check(self) -> None:
        """Raises:
        TrainingError: the model cannot be trained, or has no such part.
        """
        if not self.model.trainable:
            raise TrainingError(f"model {self.model.name} cannot be trained.")
        for part in (*self.parts, *(self.recipe.parts or {})):
            if part not in self.model.parts:
                raise TrainingError(
                    f"model {self.model.name} has no part {part!r}. There is: {', '.join(self.model.parts)}."
                )

    def facts(self) -> dict[str, Any]:
        """What decides the resulting weights (on one kind of machine)."""
        return {
            "loop": LOOP_VERSION,
            "model": self.model.name,
            "model_config": self.model.deciding_config("training"),
            "model_fingerprint": dict(self.model.fingerprint()),
            "dataset": self.dataset.name,
            "dataset_config": dict(self.dataset.config),
            "dataset_fingerprint": self.dataset.fingerprint(),
            "decoders": dict(self.dataset.decoders()),
            "classes": list(self.dataset.classes),
            "recipe": self.recipe.identity(),
            "seed": self.seed,
            "initial": self.initial.sha256 if self.initial else "",
            "through": self.through.key if self.through else "",
            "parts": list(self.trained_parts),
            "libraries": {
                "codec-harness": version("codec-harness"),
                "torch": version("torch"),
                # Lightning's two distributions have one version and the same Fabric. The name is that of the larger
                # one, which earlier trainings used: they are found under the same key.
                "lightning": version("lightning-fabric"),
                "numpy": version("numpy"),
            },
        }

    def key(self) -> str:
        """SHA-256 (hex) of `facts`."""
        return key_of(self.facts())


def place_of(job: Job) -> Place:
    """The folder of a training under the cache folder: the same job finds its checkpoints again."""
    return Place(cache_dir() / "training" / Path(job.key()[:24]))
