"""Training examples: which sample comes when, and with what randomness, follows from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from harness.errors import SampleError

if TYPE_CHECKING:
    from harness.dataset import Dataset, Sample
    from harness.model import Model
    from harness.training.through import FrameCoding

__all__ = ["Collate", "Example", "Examples", "Order", "Slot", "TrainingBatch"]

_SKIPS = 8


class Slot(NamedTuple):
    """One example's place in training, and the index of its sample."""

    iteration: int
    place: int
    sample: int


class Example(NamedTuple):
    """A training example, the indices of the samples that could not be read and whose place it takes, and problems."""

    content: Any
    unreadable: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


class TrainingBatch(NamedTuple):
    """Examples as the model collated them, with all that is told of them."""

    content: Any
    unreadable: tuple[int, ...]
    problems: tuple[str, ...]


class Order(Sampler[list[Slot]]):
    """The batches from an iteration on: every epoch a new permutation, drawn from the seed and the epoch's number.

    An epoch ends in the middle of a batch, so that every sample is seen equally often.
    """

    def __init__(self, samples: int, batch: int, seed: int, begin: int, end: int) -> None:
        self._samples = samples
        self._batch = batch
        self._seed = seed
        self._begin = begin
        self._end = end

    def __len__(self) -> int:
        return self._end - self._begin

    def __iter__(self) -> Iterator[list[Slot]]:
        known: tuple[int, np.ndarray[Any, Any]] | None = None
        for iteration in range(self._begin, self._end):
            slots = []
            for place in range(self._batch):
                epoch, position = divmod(iteration * self._batch + place, self._samples)
                if known is None or known[0] != epoch:
                    known = epoch, np.random.default_rng((self._seed, 1, epoch)).permutation(self._samples)
                slots.append(Slot(iteration, place, int(known[1][position])))
            yield slots


class Examples(TorchDataset[Any]):
    """A dataset's samples as training examples of a model, by `Slot`; lives in worker processes.

    Args:
        dataset: opened.
        model: without its network.
        seed: of the augmentation.
        through: what the frames go through first, None for nothing.
    """

    def __init__(self, dataset: Dataset, model: Model, seed: int, through: FrameCoding | None = None) -> None:
        self._dataset = dataset
        self._model = model
        self._seed = seed
        self._through = through

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, slot: Slot) -> Example:
        rng = np.random.default_rng((self._seed, 2, slot.iteration, slot.place))
        sample, unreadable = self._read(slot.sample)
        frames, problems = sample.frames, list[str]()
        if self._through is not None:
            frames = self._through(frames, sample.fps, rng)
            problems += self._through.problems()
        content = self._model.prepare_train(frames, sample.targets, rng)
        return Example(content, unreadable, (*problems, *self._model.problems()))

    def _read(self, index: int) -> tuple[Sample, tuple[int, ...]]:
        """The sample, or the next one that can be read: a corrupt image does not end a training. And those skipped."""
        unreadable: list[int] = []
        while True:
            place = (index + len(unreadable)) % len(self._dataset)
            try:
                return self._dataset[place], tuple(unreadable)
            except SampleError:
                unreadable.append(place)
                if len(unreadable) == _SKIPS:
                    raise


class Collate:
    """Examples -> a batch."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, examples: Sequence[Example]) -> TrainingBatch:
        unreadable = tuple(index for example in examples for index in example.unreadable)
        problems = tuple(dict.fromkeys(problem for example in examples for problem in example.problems))
        return TrainingBatch(self._model.collate_train([example.content for example in examples]), unreadable, problems)


def set_up_worker(_: int) -> None:
    """One thread a worker: they run side by side."""
    torch.set_num_threads(1)
