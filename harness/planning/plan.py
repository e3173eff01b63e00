"""The plan: a grid of what was asked, crossed into experiments with keys, in the order that costs least. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.experiment import Experiment, Training, key_of, variant
from harness.planning.identity import changed_options, codec_identity, experiment_identity
from harness.unit import Cell

if TYPE_CHECKING:
    from harness.codec import Level
    from harness.planning.grid import CodecChoice, Grid, TrainingData, TrainingSetup
    from harness.training.job import Job
    from harness.unit import Subject

__all__ = ["Pass", "Plan", "make_plan"]


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
    """Passes in the order to do them.

    Args:
        passes: in order.
        notes: what the user should know before they are carried out.
    """

    passes: tuple[Pass, ...]
    notes: tuple[str, ...] = ()

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

    def place(number: int) -> tuple[int, str, str, str]:
        subject = grid.subjects[number]
        return first[subject.fingerprint], subject.fingerprint, subject.task.name, subject.model_name

    passes = []
    known: dict[str, Cell] = {}
    for number in sorted(range(len(grid.subjects)), key=place):
        subject = grid.subjects[number]
        passes.append(Pass(subject, _cells(grid, subject, known)))
        baseline = next((cell.experiment.key for cell in passes[-1].cells if cell.exact), None)
        for retraining in grid.retrainings:
            for seed in range(grid.seed, grid.seed + grid.seeds):
                trained = _trained(subject, grid.setups[number], retraining.data, seed)
                if cells := _cells(grid, subject, known, retraining.tests, trained, baseline):
                    passes.append(Pass(subject, cells, trained.job))
    return Plan(tuple(passes), tuple(grid.notes))


@dataclass(frozen=True)
class _Trained:
    """Weights that a training gives: as results record it, and as it is carried out."""

    training: Training
    job: Job


def _trained(subject: Subject, setup: TrainingSetup, data: TrainingData, seed: int) -> _Trained:
    from harness.training.coded import codec_coding
    from harness.training.job import Job

    through = None
    name = None
    if data.codec is not None:
        through = codec_coding(data.codec, data.levels, codec_identity(data.codec, data.plugin))
        name = variant(data.codec.name, changed_options(data.codec))
    job = Job(subject.model, setup.dataset, setup.recipe, seed, setup.initial, through, setup.parts)
    training = Training(
        "retrained",
        codec=name,
        level=data.levels[0] if len(data.levels) == 1 else None,
        mode=data.mode,
        parts="+".join(setup.parts) or None,
        seed=seed,
        checkpoint=job.key(),
        control=replace(job, through=None).key(),
        series=key_of({name: fact for name, fact in job.facts().items() if name != "seed"}),
    )
    return _Trained(training, job)


def _cells(
    grid: Grid,
    subject: Subject,
    known: dict[str, Cell],
    choices: Sequence[CodecChoice] | None = None,
    trained: _Trained | None = None,
    baseline: str | None = None,
) -> tuple[Cell, ...]:
    """The cells of one pass that no pass before it has."""
    cells: list[Cell] = []
    training = trained.training if trained else Training()
    for choice in sorted(grid.codecs if choices is None else choices, key=lambda c: not c.baseline):
        for level in choice.levels:
            experiment = _experiment(grid, subject, choice, level, training)
            if choice.baseline and trained is None:
                baseline = experiment.key
            else:
                experiment = replace(experiment, baseline=baseline)
            if experiment.key not in known:
                known[experiment.key] = Cell(experiment, choice.codec, level, choice.baseline)
                cells.append(known[experiment.key])
    return tuple(cells)


def _experiment(grid: Grid, subject: Subject, choice: CodecChoice, level: Level, training: Training) -> Experiment:
    codec = choice.codec
    identity = experiment_identity(grid, subject, choice, level, training)
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
        reference=grid.reference,
        seed=grid.seed if training.seed is None else training.seed,
        changed=changed_options(codec),
        classes=tuple(subject.task.classes),
    )
