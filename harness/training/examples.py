"""Training examples: the seed alone determines the order of the samples and their random augmentation."""

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
    from harness.training.frame_coding import FrameCoding

__all__ = ["Collate", "Example", "Examples", "Order", "Slot", "TrainingBatch"]

_SKIPS = 8


class Slot(NamedTuple):
    """The position of one example in training (iteration, and place in the batch), and the index of its sample."""

    iteration: int
    place: int
    sample: int


class Example(NamedTuple):
    """A training example as the model prepared it.

    `unreadable` has the indices of samples that could not be read and that this example replaces; `problems` has
    warnings for the user.
    """

    content: Any
    unreadable: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


class TrainingBatch(NamedTuple):
    """A batch of training examples, collated by the model, with the `unreadable` and the `problems` of all examples."""

    content: Any
    unreadable: tuple[int, ...]
    problems: tuple[str, ...]


class Order(Sampler[list[Slot]]):
    """Yields the batches of the iterations from `begin` up to `end`, as lists of slots.

    Every epoch has a new random permutation of the samples, which depends on the seed and the epoch's number. An epoch
    may end in the middle of a batch, so that every sample is used equally often.
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
        current: tuple[int, np.ndarray[Any, Any]] | None = None  # epoch, permutation
        for iteration in range(self._begin, self._end):
            slots = []
            for place in range(self._batch):
                epoch, position = divmod(iteration * self._batch + place, self._samples)
                if current is None or current[0] != epoch:
                    current = epoch, np.random.default_rng((self._seed, 1, epoch)).permutation(self._samples)
                slots.append(Slot(iteration, place, int(current[1][position])))
            yield slots


class Examples(TorchDataset[Any]):
    """Makes training examples for a model from a dataset's samples; `examples[slot]` is the example of a `Slot`.

    It runs in worker processes.

    Args:
        dataset: the opened dataset.
        model: the model, without its network.
        seed: the seed of the augmentation.
        through: the coding of the frames before they are prepared; None for uncompressed frames.
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
        frames, targets, problems = sample.frames, sample.targets, list[str]()
        if self._through is not None:
            frames = self._through(frames, sample.fps, rng)
            problems += self._through.problems()
            unseen = self._through.unseen(len(frames), sample.fps)
            targets = {frame: target for frame, target in targets.items() if frame >= unseen}
            if sample.targets and not targets:
                raise SampleError(
                    f"sample {sample.id}: fps= may send none of its first {unseen} frames, and no later frame has a "
                    "target to learn from. Train at a higher fps=, or on longer clips."
                )
        content = self._model.prepare_train(frames, targets, rng)
        return Example(content, unreadable, (*problems, *self._model.problems()))

    def _read(self, index: int) -> tuple[Sample, tuple[int, ...]]:
        """Return a sample, and the indices of the samples that were skipped because they could not be read.

        If the sample at `index` cannot be read, the next readable one is returned, so that one corrupt image does not
        end a training.

        Raises:
            SampleError: too many samples in a row (`_SKIPS`) cannot be read.
        """
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
    """The `collate_fn` of the data loader: combines examples into a batch. It runs in worker processes."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, examples: Sequence[Example]) -> TrainingBatch:
        unreadable = tuple(index for example in examples for index in example.unreadable)
        problems = tuple(dict.fromkeys(problem for example in examples for problem in example.problems))
        return TrainingBatch(self._model.collate_train([example.content for example in examples]), unreadable, problems)


def set_up_worker(_: int) -> None:
    """Use one thread in each worker process, because the workers run in parallel."""
    torch.set_num_threads(1)
