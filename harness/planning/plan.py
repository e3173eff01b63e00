"""The plan: the experiments of a grid, with their keys, in the cheapest order. Planning has no side effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.experiment import Experiment, Training, key_of, variant
from harness.planning.identity import changed_options, codec_identity, experiment_identity, subject_identity
from harness.statistics.agreement import Agreement
from harness.unit import Cell

if TYPE_CHECKING:
    from harness.codec import Level
    from harness.planning.grid import CodecChoice, Grid, TrainingData, TrainingSetup
    from harness.training.job import Job
    from harness.unit import Subject

__all__ = ["Pass", "Piece", "Plan", "keeping", "make_plan"]


@dataclass(frozen=True)
class Piece:
    """A part of a cell: the planned batches whose first sample has its place in it.

    Args:
        start: the first place, counted in samples in the order of the planned batches.
        stop: the place after the last one.
    """

    start: float
    stop: float


@dataclass(frozen=True)
class Pass:
    """The cells of one subject with the same weights. One pass over the dataset computes all of them.

    Args:
        subject: task, model and dataset, with the pretrained weights.
        cells: the experiments with their codecs.
        job: the training that produces the weights; None for the pretrained weights.
        pieces: the key of an experiment of which only a part is done -> that part (`harness.planning.shards`).
    """

    subject: Subject
    cells: tuple[Cell, ...]
    job: Job | None = None
    pieces: Mapping[str, Piece] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All passes of a run.

    Args:
        passes: the passes, in the order in which they are run.
        notes: notes for the user before the run.
        shard: which part of the plan that was asked for this is ("3/16"); empty for the whole.
        digest: of a part, the digest of the experiments of the whole plan.
    """

    passes: tuple[Pass, ...]
    notes: tuple[str, ...] = ()
    shard: str = ""
    digest: str = ""

    @property
    def experiments(self) -> list[Experiment]:
        """All experiments of the plan, in the order in which they are run."""
        return [cell.experiment for p in self.passes for cell in p.cells]


def make_plan(grid: Grid) -> Plan:
    """Combine every subject with every codec and level into experiments, and order them.

    Subjects with the same dataset are neighbours, so that their source files and encoded streams are still cached.
    Datasets with few samples come first, so that the first results are available early. Within a pass the baseline
    comes first, and then each codec from mild to strong compression.
    """
    smallest: dict[str, int] = {}  # a dataset's fingerprint -> the fewest samples of its subjects
    for subject in grid.subjects:
        size = len(subject.indices)
        smallest[subject.fingerprint] = min(size, smallest.get(subject.fingerprint, size))

    def rank(number: int) -> tuple[int, str, str, str]:
        subject = grid.subjects[number]
        return smallest[subject.fingerprint], subject.fingerprint, subject.task.name, subject.model_name

    passes = []
    known: dict[str, Cell] = {}
    for number in sorted(range(len(grid.subjects)), key=rank):
        subject = grid.subjects[number]
        passes.append(Pass(subject, _cells(grid, subject, known)))
        baseline = next((cell.experiment.key for cell in passes[-1].cells if cell.exact), None)
        for retraining in grid.retrainings:
            for seed in range(grid.seed, grid.seed + grid.seeds):
                setup = grid.setups[number]
                assert setup is not None, "a retraining was planned for a subject that cannot be retrained"
                trained = _trained(subject, setup, retraining.data, seed)
                if cells := _cells(grid, subject, known, retraining.tests, trained, baseline):
                    passes.append(Pass(subject, cells, trained.job))
    return Plan(tuple(passes), tuple(grid.notes))


@dataclass(frozen=True)
class _Trained:
    """A training: its description for results, and the job that runs it."""

    training: Training
    job: Job


def _trained(subject: Subject, setup: TrainingSetup, data: TrainingData, seed: int) -> _Trained:
    """Return the training of a subject's model on data that are coded in the given way."""
    from harness.training.coded import codec_coding
    from harness.training.job import Job

    through = None
    name = None
    if data.codec is not None:
        identity = codec_identity(data.codec, data.plugin, data.source)
        through = codec_coding(data.codec, data.levels, identity, subject.task.judges == "clips")
        name = variant(data.codec.name, changed_options(data.codec))
    parts, sources = setup.parts, subject.sources
    job = Job(subject.model, setup.dataset, setup.recipe, seed, setup.initial, through, parts, sources)
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
    """Return the cells of one pass that no earlier pass has, and add them to `known`.

    Args:
        grid: the grid.
        subject: task, model and dataset.
        known: key -> cell of all earlier passes.
        choices: the codecs with their levels; None for those of the grid.
        trained: the training that produces the weights; None for the pretrained weights.
        baseline: the key of the baseline's experiment with pretrained weights, for a pass of a retrained model.
    """
    cells: list[Cell] = []
    training = trained.training if trained else Training()
    shared = subject_identity(grid, subject)
    for choice in sorted(grid.codecs if choices is None else choices, key=lambda c: not c.baseline):
        codec, changed = codec_identity(choice.codec, choice.plugin, choice.source), changed_options(choice.codec)
        for level in choice.levels:
            identity = experiment_identity(shared, codec, level, training)
            experiment = _experiment(grid, subject, choice, level, training, identity, changed)
            if choice.baseline and trained is None:
                baseline = experiment.key
            else:
                experiment = replace(experiment, baseline=baseline)
            if experiment.key not in known:
                known[experiment.key] = Cell(experiment, choice.codec, level, choice.baseline)
                cells.append(known[experiment.key])
    return tuple(cells)


def _experiment(
    grid: Grid,
    subject: Subject,
    choice: CodecChoice,
    level: Level,
    training: Training,
    identity: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> Experiment:
    codec = choice.codec
    return Experiment(
        key=key_of(identity),
        identity=identity,
        codec=codec.name,
        codec_options=codec.lasting_config(),
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
        changed=changed,
        classes=tuple(subject.task.classes),
        compiled=grid.compiled,
    )


def keeping(plan: Plan) -> Plan:
    """Return a plan whose predictions are kept.

    Raises:
        UsageError: a task cannot write its predictions.
    """
    for a_pass in plan.passes:
        task = a_pass.subject.task
        if not (task.task if isinstance(task, Agreement) else task).predictions_as:
            raise UsageError(f"--keep predictions: task {task.name} writes no predictions.")
    kept = [replace(p, cells=tuple(replace(cell, keep=True) for cell in p.cells)) for p in plan.passes]
    return replace(plan, passes=tuple(kept))
