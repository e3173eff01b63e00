"""The plan: a grid of what was asked, crossed into experiments with keys, in the order that costs least. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.batches import PLANNER_VERSION
from harness.experiment import Experiment, Training, key_of, variant
from harness.levers import Resampled

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.model import Model, Precision, Weights
    from harness.task import Task
    from harness.training.job import Job
    from harness.training.recipe import Recipe

__all__ = [
    "Cell",
    "CodecChoice",
    "Course",
    "Grid",
    "Lesson",
    "Pass",
    "Plan",
    "School",
    "Subject",
    "make_plan",
]


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
    """

    subjects: Sequence[Subject]
    codecs: Sequence[CodecChoice]
    precision: Precision = "fp32"
    limit: int | None = None
    seed: int = 0
    courses: Sequence[Course] = ()
    seeds: int = 1


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
    """The cells of one subject with the same weights: one pass over its data serves them all.

    Args:
        subject: with the pretrained weights.
        cells: experiments with their codecs.
        job: the training that gives the weights; None for the pretrained ones.
    """

    subject: Subject
    cells: tuple[Cell, ...]
    job: Job | None = None


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
    passes = []
    known: dict[str, Cell] = {}
    for subject in subjects:
        passes.append(Pass(subject, _cells(grid, subject, known)))
        baseline = next((cell.experiment.key for cell in passes[-1].cells if cell.exact), None)
        for course in grid.courses:
            for seed in range(grid.seed, grid.seed + grid.seeds):
                taught = _taught(subject, course.lesson, seed)
                if cells := _cells(grid, subject, known, course.tests, taught, baseline):
                    passes.append(Pass(subject, cells, taught.job))
    return Plan(tuple(passes))


@dataclass(frozen=True)
class _Taught:
    """Weights that a training gives."""

    training: Training
    job: Job


def _taught(subject: Subject, lesson: Lesson, seed: int) -> _Taught:
    from harness.training.coded import coded
    from harness.training.job import Job

    school = subject.school
    assert school is not None, "a course was planned for a subject that cannot be retrained"
    through = None
    name = None
    if lesson.codec is not None:
        through = coded(lesson.codec, lesson.levels, _codec_identity(lesson.codec, lesson.plugin))
        name = variant(lesson.codec.name, _changed(lesson.codec))
    job = Job(subject.model, school.dataset, school.recipe, seed, school.initial, through, school.parts)
    training = Training(
        "retrained",
        codec=name,
        level=lesson.levels[0] if len(lesson.levels) == 1 else None,
        mode=lesson.mode,
        parts="+".join(school.parts) or None,
        seed=seed,
        checkpoint=job.key(),
        control=replace(job, through=None).key(),
    )
    return _Taught(training, job)


def _cells(
    grid: Grid,
    subject: Subject,
    known: dict[str, Cell],
    choices: Sequence[CodecChoice] | None = None,
    taught: _Taught | None = None,
    baseline: str | None = None,
) -> tuple[Cell, ...]:
    """The cells of one pass that no pass before it has."""
    cells: list[Cell] = []
    training = taught.training if taught else Training()
    for choice in sorted(grid.codecs if choices is None else choices, key=lambda c: not c.baseline):
        for level in choice.levels:
            experiment = _experiment(grid, subject, choice, level, training)
            if choice.baseline and taught is None:
                baseline = experiment.key
            else:
                experiment = replace(experiment, baseline=baseline)
            if experiment.key not in known:
                known[experiment.key] = Cell(experiment, choice.codec, level, choice.baseline)
                cells.append(known[experiment.key])
    return tuple(cells)


def _codec_identity(codec: Codec, plugin: str) -> dict[str, Any]:
    """All that decides what a codec makes of frames at a level."""
    return {
        "name": codec.name,
        "options": dict(codec.config),
        "fingerprint": dict(codec.fingerprint()),
        "plugin": plugin,
    }


def _changed(codec: Codec) -> dict[str, Any]:
    """The options that are not the codec's defaults."""
    plain = codec.codec if isinstance(codec, Resampled) else codec
    defaults = {(option.name, option.default) for option in plain.options}
    return {name: value for name, value in codec.config.items() if (name, value) not in defaults}


def _experiment(grid: Grid, subject: Subject, choice: CodecChoice, level: Level, training: Training) -> Experiment:
    codec = choice.codec
    identity: Mapping[str, Any] = {
        "codec": {**_codec_identity(codec, choice.plugin), "level": level},
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
        "training": {"kind": training.kind, **({"job": training.checkpoint} if training.checkpoint else {})},
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
        seed=grid.seed if training.seed is None else training.seed,
        changed=_changed(codec),
    )


def _subset(subject: Subject, seed: int) -> Mapping[str, Any] | None:
    """Which samples of the split the cell has, whatever drew them; None when it has all."""
    if len(subject.indices) == len(subject.dataset):
        return None
    digest = hashlib.sha256(",".join(map(str, subject.indices)).encode()).hexdigest()
    return {"samples": len(subject.indices), "seed": seed, "indices": digest}
