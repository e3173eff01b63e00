"""The contract of a model: prepare in a worker, predict on the device, learn in training.

A model object is made without its network, so that it can be pickled to worker processes, where only `prepare` runs.
`load` builds the network on a device; `predict` and `losses` need it. Predictions are of the task's own type and in
the coordinates of the source frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from harness.options import Configured, Phase, Value
from harness.weights import Weights, from_file

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.codec import Frames
    from harness.dataset import Outline

__all__ = ["Memo", "Model", "NoMemo", "Precision", "Weights"]

Precision = Literal["fp32", "bf16"]
T = TypeVar("T")


class Memo(Protocol):
    """Where `prepare` leaves derived data (optical flow) that another model or run could use again.

    The engine knows what the frames are and how they were coded; the name says what is derived from them, and all that
    decides it (method, settings, library version). What is kept, and for how long, is the engine's affair: what is
    quicker to compute than to read it does not keep, and nothing where there is no engine (`NoMemo`).
    """

    def __call__(self, name: str, compute: Callable[[], np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """The array kept under `name`, or that of `compute`, kept from now on."""


class NoMemo:
    """A memo that keeps nothing."""

    def __call__(self, name: str, compute: Callable[[], T]) -> T:
        return compute()


class Model(Configured, ABC):
    """A network with its pre- and post-processing.

    Class attributes:
        task: the task it serves.
        parts: what is trained by itself (two streams; a GAN's two players).
        default_batch: the batch size by device type, e.g. {"cpu": 1, "cuda": 8}.
        own_weights: what `resolve_weights(None, ...)` gives, for lists: the file that it brings, or a few words on
            whose they are ("torchvision's", who downloads them). None: it has to be given a file.

    Attributes:
        classes: the names its predictions' labels stand for (set by `load`).
    """

    task: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ("model",)
    default_batch: ClassVar[Mapping[str, int]] = {"cpu": 1, "cuda": 8, "mps": 4}
    own_weights: ClassVar[Path | str | None] = None
    classes: tuple[str, ...] = ()

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        """The weights that a text on the command line names; None asks for the model's own default.

        Runs in preflight without importing torch where it can; the default reads `asked` as a path of a safetensors
        or state-dict file.

        Raises:
            WeightsError: there is no such file or name, or there is no default.
        """
        return from_file(self.name, asked)

    def fingerprint(self) -> Mapping[str, Value]:
        """Versions of the libraries that decide the predictions, read without importing them."""
        return {}

    def identity_config(self) -> Mapping[str, Value]:
        """The options as they identify results. A path of the user's is to be replaced by a digest of the content.

        The default is `config` as it is.
        """
        return dict(self.config)

    def deciding_config(self, phase: Phase) -> dict[str, Value]:
        """`identity_config` without the options that concern the other phase alone (`Option.only`)."""
        other = {option.name for option in self.options if option.only not in (None, phase)}
        return {name: value for name, value in self.identity_config().items() if name not in other}

    def available(self) -> str | None:
        """None when the model can work on this machine, else a sentence that says what is missing."""
        return None

    @abstractmethod
    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        """The shape that `prepare` will give for a sample so outlined: equal shapes share a batch."""

    @abstractmethod
    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> Any:
        """Decoded frames uint8[T, H, W, 3] -> one sample's input (tensors; in a worker, without the network).

        Args:
            frames: the decoded frames.
            scored: the frames that are scored.
            memo: keeps derived data.
        """

    def collate(self, prepared: Sequence[Any]) -> Any:
        """Prepared samples of equal shape -> one batch. The default stacks with torch's own `default_collate`."""
        from torch.utils.data import default_collate

        return default_collate(list(prepared))

    @abstractmethod
    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        """Build the network with its weights on a device, in evaluation mode.

        Args:
            weights: as `resolve_weights` gave them.
            classes: the dataset's classes, for a model whose weights do not say theirs.
            device: a torch device.
            precision: of the forward pass.

        Raises:
            WeightsError: they do not fit the network; the message names what.
        """

    @abstractmethod
    def predict(self, batch: Any) -> list[list[Any]]:
        """A collated batch -> for each sample, for each scored frame, a prediction of the task's type.

        The engine has moved the batch's tensors to the device, and calls under `torch.inference_mode`.
        Results are on the CPU, in source coordinates, labels index `self.classes`.
        """

    # Training: a model that cannot be trained leaves these as they are.

    trainable: ClassVar[bool] = False

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        """A new network for these classes, on the CPU.

        Args:
            classes: of the dataset that it is to learn.
            initial: what it starts from; a file that `load` takes is taken here. None initialises the network from
                torch's current random state.

        Raises:
            WeightsError: the initial weights do not fit the network, or were trained on another number of classes.
        """
        raise NotImplementedError(f"model {self.name} cannot be trained")

    @property
    def network(self) -> torch.nn.Module:
        """The network that `load` or `build` made. Its state dict is what a checkpoint holds."""
        raise NotImplementedError(f"model {self.name} has no network to train")

    def prepare_train(self, frames: Frames, targets: Mapping[int, Any], rng: np.random.Generator) -> Any:
        """Frames and targets -> one training example, augmented with `rng` (in a worker, without the network)."""
        raise NotImplementedError(f"model {self.name} cannot be trained")

    def collate_train(self, examples: Sequence[Any]) -> Any:
        """Training examples -> one batch."""
        return self.collate(examples)

    def problems(self) -> Sequence[str]:
        """What the user should know of how `prepare_train` went in this process (a cache that is full)."""
        return ()

    def losses(self, batch: Any, part: str) -> Mapping[str, torch.Tensor]:
        """The named losses of one part on a batch (network in training mode); their sum is minimised."""
        raise NotImplementedError(f"model {self.name} cannot be trained")

    def parameters(self, part: str) -> list[torch.nn.Parameter]:
        """The parameters that one part's optimizer moves."""
        return [p for p in self.network.parameters() if p.requires_grad]
