"""The interface that every model implements: prepare inputs in worker processes, predict on the device, train.

A model object is created without its network, so that it can be pickled and sent to worker processes. In a worker only
`prepare` runs (`prepare_train` in training). `load` builds the network on a device; `predict` and `losses` need the
network. The task defines the type of a prediction. Predictions are in the coordinates of the source frame.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from harness.options import Configured, Option, Phase, Value
from harness.weights import Weights, from_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    import torch

    from harness.codec import Frames
    from harness.dataset import Outline

__all__ = ["PRECISIONS", "TRUTH", "Known", "Memo", "Model", "NoMemo", "Precision", "Weights", "autocast"]

Precision = Literal["fp32", "bf16", "fp16", "tf32"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "tf32")
"""Every precision of a forward pass. bf16 and fp16 are torch's automatic mixed precision; the weights stay fp32. With
tf32, NVIDIA's GPUs (from Ampere on) round the factors of products to 10 bits of mantissa."""

TRUTH = "truth"
"""Where a hint comes from, unless the user names a file: the labels of the dataset."""

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What a model may know of a sample beside its frames.

    Args:
        outline: the facts about the sample: its id, its size, its scored frames.
        hints: name -> scored frame -> the hint, for each name in `Model.needs`. `boxes`: float64[N, 5], x1, y1, x2, y2
            in pixels of the source frame, and the score (1 for those of the labels).
    """

    outline: Outline
    hints: Mapping[str, Mapping[int, Any]]


class Memo(Protocol):
    """A cache that `prepare` uses for data derived from the frames (optical flow), so that other models can reuse them.

    The engine identifies the frames and how they were coded. The name identifies what is derived from the frames, and
    everything that decides the result (method, settings, library version). The engine decides what to keep and for how
    long. It does not keep arrays that are faster to compute than to read. Outside the engine nothing is kept
    (`NoMemo`).
    """

    def __call__(self, name: str, compute: Callable[[], np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Return the array that is kept under `name`; if there is none, call `compute` and keep its result."""


def autocast(device: str, precision: Precision) -> AbstractContextManager[None]:
    """Return a context in which torch computes a network in a precision, for `Model.predict`.

    For bf16 and fp16 it is `torch.autocast`. For fp32 and tf32 it changes nothing.

    Args:
        device: the torch device of the network.
        precision: the precision that `Model.load` was given.
    """
    import torch

    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    if kind is None:
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(torch.device(device).type, kind)
    return context


class NoMemo:
    """A memo that keeps nothing: every call computes its array."""

    def __call__(self, name: str, compute: Callable[[], T]) -> T:
        return compute()


class Model(Configured, ABC):
    """A network with its pre- and post-processing.

    Class attributes:
        task: the task that the model performs.
        parts: the parts of the network that have their own optimizer (the two streams of a two-stream network; the
            generator and the discriminator of a GAN).
        default_batch: the number of samples in a batch unless the user gives one. It is a part of every experiment's
            key, so it is the same on every device. Of a mapping by device type ({"cpu": 1, "cuda": 8}), which models
            could give before, the number of the CPU is used on every device.
        precisions: the precisions that `load` heeds. A run with another precision is refused.
        needs: the names of the hints that `prepare` needs ("boxes": a top-down pose estimator). The model has an option
            of each name: `truth`, or a file of COCO results. Preflight checks that they can be had, and the key has
            where they come from.
        own_weights: the weights that `resolve_weights(None, ...)` returns, for listings: the path of a file that comes
            with the model, or a few words on where they come from ("torchvision's", which torchvision downloads).
            None if the user has to give a file of weights.

    Attributes:
        classes: the names of the classes; the labels of predictions are indices into it. `load` sets it.
    """

    task: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ("model",)
    default_batch: ClassVar[int | Mapping[str, int]] = 1
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")
    needs: ClassVar[tuple[str, ...]] = ()
    own_weights: ClassVar[Path | str | None] = None
    classes: tuple[str, ...] = ()
    _network: torch.nn.Module | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        declared = {option.name for option in cls.options}
        cls.options += tuple(_hint_option(name) for name in cls.needs if name not in declared)

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        """Return the weights that the user named.

        This runs before the run starts (in preflight), and should not import torch if it can avoid it.

        Args:
            asked: the text that the user gave; None for the model's own default weights. The default implementation
                reads it as the path of a file of weights.
            dataset_classes: the classes of the dataset.

        Raises:
            WeightsError: there is no such file or name, or the model has no default weights.
        """
        return from_file(self.name, asked)

    def fingerprint(self) -> Mapping[str, Value]:
        """Return the versions of the libraries that can change the predictions, without importing the libraries."""
        return {}

    def identity_config(self) -> Mapping[str, Value]:
        """Return the options as they identify results.

        A model with an option that is a path replaces the path by a digest of the file's content. The default returns
        `config` unchanged.
        """
        return dict(self.config)

    def deciding_config(self, phase: Phase) -> dict[str, Value]:
        """Return `identity_config` without the options that affect only the other phase (see `Option.only`)."""
        other_phase = {option.name for option in self.options if option.only not in (None, phase)}
        config = {name: value for name, value in self.identity_config().items() if name not in other_phase}
        return {name: _digest(value) if name in self.needs else value for name, value in config.items()}

    def available(self) -> str | None:
        """Return None if the model works on this machine, otherwise a sentence that says what is missing."""
        return None

    @abstractmethod
    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        """Return the shape of the input that `prepare` will make of a sample with this outline.

        Only samples with equal shapes share a batch.
        """

    @abstractmethod
    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> Any:
        """Convert decoded frames to the network's input for one sample (tensors).

        Runs in a worker, without the network. What it returns travels to the device, so uint8 as decoded is best: a
        quarter of float32. Where no pixel has to be resized, the frames themselves can be returned, as a tensor that
        shares their memory; `collate` then makes the first copy. `predict` does the rest on the device: float, channels
        first, normalisation.

        Args:
            frames: the decoded frames, uint8[T, H, W, 3]. They may be read-only, and must not be written to.
            scored: the numbers of the frames that are scored.
            memo: a cache for data derived from the frames.
            known: a model that takes the argument `known: Known | None = None` gets what it may know of the sample.
        """

    def collate(self, prepared: Sequence[Any]) -> Any:
        """Combine prepared samples of equal shape into one batch. The default uses torch's `default_collate`.

        A batch of one uint8 tensor shares its memory.
        """
        import torch

        first = prepared[0]
        if len(prepared) == 1 and type(first) is torch.Tensor and first.dtype == torch.uint8 and first.is_contiguous():
            return first[None]
        from torch.utils.data import default_collate

        return default_collate(list(prepared))

    @abstractmethod
    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        """Build the network with its weights on a device, in evaluation mode.

        Args:
            weights: the weights that `resolve_weights` returned.
            classes: the dataset's classes, for a model whose weights do not state their own. If it sets `self.classes`
                to them, the user is warned that their order is taken.
            device: a torch device.
            precision: the precision of the forward pass, one of `precisions`. `autocast` gives bf16 and fp16. For tf32
                a model does what it does for fp32: the engine sets torch's flags.

        Raises:
            WeightsError: the weights do not fit the network; the message names what does not fit.
        """

    @abstractmethod
    def predict(self, batch: Any) -> list[list[Any]]:
        """Return, for each sample of a collated batch, a list with one prediction for each scored frame.

        The engine moves the batch's tensors to the device before the call, and calls under `torch.inference_mode`, in
        the thread that called `load`, which need not be the main thread. Predictions have the type that the task
        defines, in the coordinates of the source frame. Each sample gets new lists and arrays: one that is used again
        for another sample of the batch is refused. Labels are indices into `self.classes`. Predictions are on the
        CPU and can be pickled, because they travel to the worker that scores them. They should leave the device in one
        copy for the whole batch: each `.cpu()` and each `.item()` waits for a GPU.
        """

    # Training. A model that cannot be trained does not override what follows.

    trainable: ClassVar[bool] = False

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        """Build and return a new network for these classes, on the CPU.

        Args:
            classes: the classes of the dataset to train on.
            initial: the weights to start from; it accepts every file that `load` accepts. None initialises the network
                from torch's current random state.

        Raises:
            WeightsError: the initial weights do not fit the network, or were trained on another number of classes.
        """
        raise NotImplementedError(f"model {self.name} cannot be trained")

    @property
    def network(self) -> torch.nn.Module:
        """The network, which `load` or `build` stores in `_network`. A training checkpoint holds its state dict.

        Raises:
            RuntimeError: neither `load` nor `build` has been called.
        """
        if self._network is None:
            raise RuntimeError(f"model {self.name} has no network: neither load() nor build() has set `_network`")
        return self._network

    def prepare_train(self, frames: Frames, targets: Mapping[int, Any], rng: np.random.Generator) -> Any:
        """Convert frames and targets to one training example, with random augmentation.

        Runs in a worker, without the network.

        Args:
            frames: uint8[T, H, W, 3], RGB.
            targets: frame number -> target.
            rng: the random generator that the augmentation must use.
        """
        raise NotImplementedError(f"model {self.name} cannot be trained")

    def collate_train(self, examples: Sequence[Any]) -> Any:
        """Combine training examples into one batch."""
        return self.collate(examples)

    def problems(self) -> Sequence[str]:
        """Return warnings for the user about `prepare_train` in this process (for example: the cache is full)."""
        return ()

    def losses(self, batch: Any, part: str) -> Mapping[str, torch.Tensor]:
        """Return the named losses of one part on a batch, with the network in training mode. Their sum is minimised."""
        raise NotImplementedError(f"model {self.name} cannot be trained")

    def parameters(self, part: str) -> list[torch.nn.Parameter]:
        """Return the parameters that the optimizer of one part updates."""
        return [p for p in self.network.parameters() if p.requires_grad]


def _hint_option(name: str) -> Option:
    """Return the option that says where a hint comes from."""
    return Option(name, str, TRUTH, f"{name} of each sample: {TRUTH}, or a file of COCO results", only="prediction")


def _digest(source: Value) -> Value:
    """Return where a hint comes from as it identifies results: a file by the digest of its content."""
    if source == TRUTH:
        return source
    return hashlib.sha256(Path(str(source)).read_bytes()).hexdigest()
