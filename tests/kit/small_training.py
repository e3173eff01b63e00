"""A small model, a dataset of ten grey images, and what watches their training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from harness.dataset import Dataset, Outline, Sample
from harness.errors import SampleError
from harness.model import Model, Weights
from harness.training.job import Job
from harness.training.recipe import Recipe
from harness.weights import load_into, load_state

__all__ = ["RECIPE", "CutError", "Knife", "Log", "Player", "Slope", "job"]

RECIPE = Recipe(iterations=30, batch=4, lr=0.05, warmup=3, clip=1.0, average=0.9, checkpoint=10)


class Slope(Dataset):
    """Images of one grey level, and that level as the target."""

    name = "slope"
    tasks = ("brightness",)
    splits = ("train",)
    needs_root = False

    def open(self) -> None:
        self.classes = ("dark", "bright")

    def __len__(self) -> int:
        return 10

    def outline(self, index: int) -> Outline:
        return Outline(str(index), 4, 4)

    def __getitem__(self, index: int) -> Sample:
        if index == 3:
            raise SampleError("sample 3 is corrupt")
        return Sample(str(index), np.full((1, 4, 4, 3), 25 * index, np.uint8), {0: index / 10})

    def fingerprint(self) -> str:
        return "f" * 64


class Player(Model):
    """Two parts that each learn to say how bright an image is."""

    name = "player"
    task = "brightness"
    parts = ("one", "two")
    trainable = True

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (3, outline.height, outline.width)

    def prepare(self, frames: Any, scored: Any, memo: Any) -> torch.Tensor:
        return torch.from_numpy(frames[0])

    def load(self, weights: Any, classes: Any, device: str, precision: Any = "fp32") -> None:
        raise NotImplementedError

    def predict(self, batch: Any) -> list[list[Any]]:
        raise NotImplementedError

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        self.classes = classes
        self._network = torch.nn.ModuleDict(
            {
                part: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.2), torch.nn.Linear(4, 1))
                for part in self.parts
            }
        )
        if initial is not None and initial.path is not None:
            load_into(self._network, load_state(initial.path), initial.name)
        return self._network

    @property
    def network(self) -> torch.nn.Module:
        return self._network

    def prepare_train(self, frames: Any, targets: Mapping[int, Any], rng: np.random.Generator) -> Any:
        level = torch.tensor(frames[0].mean(axis=(0, 1)) / 255 + rng.normal(0, 0.01), dtype=torch.float32)
        return level, torch.tensor([targets[0]], dtype=torch.float32)

    def losses(self, batch: Any, part: str) -> Mapping[str, torch.Tensor]:
        levels, wanted = batch
        return {"squares": ((self._network[part](levels) - wanted) ** 2).mean()}

    def parameters(self, part: str) -> list[torch.nn.Parameter]:
        return list(self._network[part].parameters())


@dataclass
class Log:
    """Remembers what it is told."""

    begun: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def started(self, begin: int, end: int) -> None:
        self.begun.append(begin)

    def stepped(self, iteration: int) -> None:
        self.steps.append(iteration)

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        self.losses.append((iteration, dict(losses)))

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class CutError(Exception):
    """What a test ends a training with."""


class Knife(Log):
    """Ends a training after some iterations."""

    def advanced(self, iteration: int, losses: Mapping[str, float]) -> None:
        super().advanced(iteration, losses)
        if iteration == 20:
            raise CutError


def job(**changes: Any) -> Job:
    dataset = Slope("brightness", "train")
    dataset.open()
    return replace(Job(Player(), dataset, RECIPE), **changes)
