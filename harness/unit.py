"""Units of work: plain data that can be sent to any process, which then does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from harness.codec import Codec, Level
    from harness.dataset import Dataset
    from harness.experiment import Experiment
    from harness.model import Model, Precision, Weights
    from harness.records import SampleRow
    from harness.task import Task

__all__ = ["SAMPLE_TIMEOUT", "Batch", "Cell", "Resampling", "RowBatch", "Settings", "Subject", "Todo", "Unit"]

SAMPLE_TIMEOUT = 600.0
"""How many seconds a step of one sample may take, if the user does not say."""


@dataclass(frozen=True)
class Batch:
    """Samples that go through the network together.

    Args:
        number: the batch's position in the plan.
        indices: the indices of the samples in the dataset.
    """

    number: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Subject:
    """One model on one dataset for one task. The experiments of a subject differ in the codec, level and training.

    Args:
        task: the task, with the dataset's classes.
        model: the model, without its network loaded.
        model_name: the model's name in results.
        weights: the model's weights.
        dataset: the opened dataset.
        dataset_name: the dataset's name in results.
        fingerprint: the dataset's fingerprint.
        indices: the indices of the samples, ascending; a subset of the dataset if `--limit` is given.
        batch: the number of samples in a batch.
        plugins: distributions and versions that provide the task, the model and the dataset.
        origins: the same by kind ("task", "model", "dataset"), for messages.
        sources: the digests of the plugins' sources, by "task", "model" and "dataset". A plugin of the harness itself
            has none.
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
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """An experiment with its codec object. It is one cell of the cross product.

    Args:
        experiment: the experiment's description and key.
        codec: the codec, including its levers (`scale`, `fps`).
        level: the level on the codec's scale.
        exact: whether the codec is the bit-exact baseline.
        fresh: whether streams and derived data that are kept in the cache folder are made anew (`--again`).
        keep: whether the predictions are kept (`--keep predictions`).
    """

    experiment: Experiment
    codec: Codec
    level: Level
    exact: bool
    fresh: bool = False
    keep: bool = False


@dataclass(frozen=True)
class Todo:
    """One planned batch, and the cells of the unit that still have to process it.

    Args:
        batch: the batch.
        cells: the cells, as positions in the unit's `cells`.
    """

    batch: Batch
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Unit:
    """A unit of work: one pass over some batches of one subject, for some of its cells.

    Args:
        subject: task, model and dataset.
        cells: experiments with their codecs.
        todo: the batches to process, in order, each with the cells to process it for.
        reference: whether the model's predictions on the uncompressed frames are the targets.
        phases: the phase of `fps=` of each sample, by its index (`harness.planning.phases`); empty if no cell has it.
    """

    subject: Subject
    cells: tuple[Cell, ...]
    todo: tuple[Todo, ...]
    reference: bool = False
    phases: Mapping[int, float] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of sample rows that the unit produces."""
        return sum(len(todo.batch.indices) * len(todo.cells) for todo in self.todo)


@dataclass(frozen=True, eq=False)
class RowBatch(Sequence["SampleRow"]):
    """The rows of one batch of one cell, and the time that they took. It can be used like the list of its rows.

    Args:
        key: the experiment's key.
        rows: the rows.
        seconds: stage -> its time in seconds: read, encode, decode, prepare and score (in the process that prepared
            the batch), hand_over, wait, predict and wall (in the process with the device).
    """

    key: str
    rows: tuple[SampleRow, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @overload
    def __getitem__(self, place: int) -> SampleRow: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[SampleRow]: ...

    def __getitem__(self, place: int | slice) -> SampleRow | Sequence[SampleRow]:
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Settings:
    """The settings for running a unit of work.

    The number of workers does not change any result; the device and the number of threads may change the last bits of
    a result. All settings are recorded with the run. The precision is also a part of every experiment's identity.

    Args:
        device: a torch device ("cpu", "cuda:0", "mps").
        precision: the precision of the forward pass.
        workers: the number of processes that read, code and prepare samples; with 0, the predicting process does that
            too.
        threads: the number of threads for the forward pass on the CPU.
        training_threads: the number of threads for training on the CPU.
        compiled: whether torch compiles the network. It is a part of an experiment's identity too.
        sample_timeout: how many seconds a worker may take for one step of one sample (reading, encoding, decoding,
            preparing, scoring), and the device for one sample of a batch; 0 for as long as they like.
    """

    device: str
    precision: Precision
    workers: int
    threads: int
    training_threads: int = 1
    compiled: bool = False
    sample_timeout: float = SAMPLE_TIMEOUT


@dataclass(frozen=True)
class Resampling:
    """How the confidence intervals are computed.

    Args:
        resamples: the number of resamples.
        seed: the seed of the resampling. Paired comparisons of experiments need equal seeds.
    """

    resamples: int = 1000
    seed: int = 0
