"""Units of work, as plain data that any process can carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.experiment import Experiment
    from harness.model import Model, Precision, Weights
    from harness.task import Task

__all__ = ["Batch", "Cell", "Settings", "Subject", "Todo", "Unit"]


@dataclass(frozen=True)
class Batch:
    """Samples that are predicted together.

    Args:
        number: its place in the plan.
        indices: the samples' indices in the dataset.
    """

    number: int
    indices: tuple[int, ...]


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
class Cell:
    """One cell of the cross product: an experiment, and the codec that carries it out.

    Args:
        experiment: what it is, and its key.
        codec: the codec, levers included.
        level: a position on its scale.
        exact: whether the codec is the bit-exact baseline.
    """

    experiment: Experiment
    codec: Codec
    level: Level
    exact: bool


@dataclass(frozen=True)
class Todo:
    """One planned batch, and which of the unit's cells still lack it.

    Args:
        batch: the batch.
        cells: positions in the unit's `cells`.
    """

    batch: Batch
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Unit:
    """A pass over some batches of one subject, for some of its cells.

    Args:
        subject: task, model and dataset.
        cells: experiments with their codecs.
        todo: what is to be done, in order.
        reference: whether the targets are what the model predicts on the uncompressed frames.
    """

    subject: Subject
    cells: tuple[Cell, ...]
    todo: tuple[Todo, ...]
    reference: bool = False

    @property
    def size(self) -> int:
        """How many rows of samples the unit will give."""
        return sum(len(todo.batch.indices) * len(todo.cells) for todo in self.todo)


@dataclass(frozen=True)
class Settings:
    """How a unit is carried out. Workers change no result; device and threads may change the last bits of one.

    All of it is provenance, recorded with the run. The precision is part of every cell's identity too.

    Args:
        device: a torch device ("cpu", "cuda:0", "mps").
        precision: of the forward pass.
        workers: processes that read, code and prepare; 0 does it in the process that predicts.
        threads: of the forward pass on the CPU.
        training_threads: of training on the CPU.
    """

    device: str
    precision: Precision
    workers: int
    threads: int
    training_threads: int = 1
