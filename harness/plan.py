"""The plan: a grid of what was asked, crossed into experiments with keys, in the order that costs least. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.batches import PLANNER_VERSION
from harness.experiment import Experiment, Training, key_of
from harness.levers import Resampled

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.model import Model, Precision, Weights
    from harness.task import Task

__all__ = ["Cell", "CodecChoice", "Grid", "Pass", "Plan", "Subject", "make_plan"]


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


@dataclass(frozen=True)
class Grid:
    """What is crossed: every subject with every codec at every level.

    Args:
        subjects: task, model and dataset together.
        codecs: with their levels; the baseline among them unless it was declined.
        precision: of the forward pass.
        limit: how many samples were asked for; None for all.
        seed: of the subset's draw.
    """

    subjects: Sequence[Subject]
    codecs: Sequence[CodecChoice]
    precision: Precision = "fp32"
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Cell:
    """One experiment with what carries it out."""

    experiment: Experiment
    codec: Codec
    level: Level
    exact: bool
    """Whether the codec is the bit-exact baseline."""


@dataclass(frozen=True)
class Pass:
    """The cells of one subject: one pass over its data serves them all."""

    subject: Subject
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Plan:
    """Passes in the order to do them."""

    passes: tuple[Pass, ...]

    @property
    def experiments(self) -> list[Experiment]:
        """All experiments, in order."""
        return [cell.experiment for p in self.passes for cell in p.cells]


def make_plan(grid: Grid) -> Plan:
    """Cross subjects, codecs and levels.

    Subjects that share a dataset stand together (their sources and encodes are warm), small ones first, so that
    something is finished early. Within a pass the baseline comes first, then each codec from mild to strong.
    """
    first: dict[str, int] = {}
    for subject in grid.subjects:
        size = len(subject.indices)
        first[subject.fingerprint] = min(size, first.get(subject.fingerprint, size))
    subjects = sorted(grid.subjects, key=lambda s: (first[s.fingerprint], s.fingerprint, s.task.name, s.model_name))
    return Plan(tuple(Pass(subject, _cells(grid, subject)) for subject in subjects))


def _cells(grid: Grid, subject: Subject) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {}
    baseline: str | None = None
    for choice in sorted(grid.codecs, key=lambda c: not c.baseline):
        for level in choice.levels:
            experiment = _experiment(grid, subject, choice, level)
            if choice.baseline:
                baseline = experiment.key
            else:
                experiment = replace(experiment, baseline=baseline)
            cells.setdefault(experiment.key, Cell(experiment, choice.codec, level, choice.baseline))
    return tuple(cells.values())


def _experiment(grid: Grid, subject: Subject, choice: CodecChoice, level: Level) -> Experiment:
    codec, training = choice.codec, Training()
    plain = codec.codec if isinstance(codec, Resampled) else codec
    defaults = {(option.name, option.default) for option in plain.options}
    identity: Mapping[str, Any] = {
        "codec": {
            "name": codec.name,
            "options": dict(codec.config),
            "fingerprint": dict(codec.fingerprint()),
            "level": level,
            "plugin": choice.plugin,
        },
        "task": {
            "name": subject.task.name,
            "options": dict(subject.task.config),
            "scoring": subject.task.scoring_version,
        },
        "model": {
            "kind": subject.model.name,
            "options": dict(subject.model.identity_config()),
            "fingerprint": dict(subject.model.fingerprint()),
            "weights": subject.weights.sha256,
            "classes": list(subject.weights.classes),
        },
        "dataset": {
            "kind": subject.dataset.name,
            "options": dict(subject.dataset.config),
            "split": subject.dataset.split,
            "fingerprint": subject.fingerprint,
            "decoders": dict(subject.dataset.decoders()),
        },
        "plugins": sorted(subject.plugins),
        "limit": _subset(subject, grid.seed),
        "batch": {"size": subject.batch, "planner": PLANNER_VERSION},
        "precision": grid.precision,
        "training": {"kind": training.kind},
        "reference": "labels",
    }
    return Experiment(
        key=key_of(identity),
        identity=identity,
        codec=codec.name,
        codec_options=dict(codec.config),
        level=level,
        level_name=codec.scale.name if codec.scale else None,
        intra=codec.coding == "video" and subject.dataset.still,
        task=subject.task.name,
        model=subject.model_name,
        weights=subject.weights.name,
        dataset=subject.dataset_name,
        split=subject.dataset.split,
        samples=len(subject.indices),
        precision=grid.precision,
        batch=subject.batch,
        training=training,
        seed=grid.seed,
        changed={name: value for name, value in codec.config.items() if (name, value) not in defaults},
    )


def _subset(subject: Subject, seed: int) -> Mapping[str, Any] | None:
    """Which samples of the split the cell has, whatever drew them; None when it has all."""
    if len(subject.indices) == len(subject.dataset):
        return None
    digest = hashlib.sha256(",".join(map(str, subject.indices)).encode()).hexdigest()
    return {"samples": len(subject.indices), "seed": seed, "indices": digest}
