"""The base class of models whose network has the calling convention of torchvision's detectors, for any task.

In evaluation such a network takes a list of images float32[3, H, W] (RGB, 0-1). For each image it returns a dict of
`boxes` (float32[N, 4], in pixels of the input image, x2 and y2 exclusive), `scores` and `labels`; label 0 is the
background. In training it also takes a list of targets of the same form, and returns a dict of losses. The network
itself resizes and normalises the images.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import WeightsError
from harness.model import PRECISIONS, Memo, Model, Precision, Weights, autocast
from harness.options import Value
from harness_tasks.images import frames_tensor
from harness_tasks.library import library_version
from harness_tasks.networks.to_cpu import on_cpu

if TYPE_CHECKING:
    import torch

    from harness.codec import Frames
    from harness.dataset import Outline

__all__ = ["ImageListModel", "Labels", "check_head", "head_outputs"]

_NOT_HEAD = ("backbone", "rpn")
"""Parts of the names of tensors whose size does not depend on the classes."""
_BACKGROUND = ("__background__", "background", "no person")


@dataclass(frozen=True)
class Labels:
    """The meaning of a network's outputs.

    Args:
        classes: the class names.
        index: for each output of the head, its position in `classes`, or -1 for none; the background comes first.
    """

    classes: tuple[str, ...]
    index: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Labels:
        """Create labels from class names, or from the names of all outputs.

        Names of outputs begin with the background, and unused outputs are named "N/A".

        >>> Labels.of(["cat", "dog"]).index
        (-1, 0, 1)
        >>> Labels.of(["__background__", "cat", "N/A", "dog"])
        Labels(classes=('cat', 'dog'), index=(-1, 0, -1, 1))
        """
        outputs = list(names) if names and names[0] in _BACKGROUND else ["__background__", *names]
        classes = tuple(name for name in outputs[1:] if name != "N/A")
        index = [-1] + [classes.index(name) if name != "N/A" else -1 for name in outputs[1:]]
        # The names themselves where they are the classes: the engine sees by it that a dataset's were taken.
        return cls(names if isinstance(names, tuple) and names == classes else classes, tuple(index))

    @property
    def outputs(self) -> int:
        """The number of outputs, including the background."""
        return len(self.index)


class ImageListModel(Model):
    """A model whose network has torchvision's calling convention. A subclass builds the network and converts its
    output.

    A prepared sample is uint8[S, H, W, 3], the S scored frames as they were decoded; a batch is uint8[B, S, H, W, 3].
    Frames become float images on the device. If the network's first step is torchvision's transform, it is done for the
    whole batch at once (`BatchTransform`); other networks get a list of float images. A training example is a dict of
    `image` (uint8[3, H, W]) and the network's targets for it. A training batch is a dict of two lists, `images` and
    `targets`.
    """

    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._labels = Labels((), ())
        self._device = "cpu"
        self._precision: Precision = "fp32"

    @abstractmethod
    def make(self, outputs: int) -> torch.nn.Module:
        """Return a new network with `outputs` outputs, including the background, on the CPU."""

    def fingerprint(self) -> Mapping[str, Value]:
        return {name: library_version(name) for name in ("torch", "torchvision")}

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (len(outline.scored), outline.height, outline.width, 3)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> torch.Tensor:
        return frames_tensor(frames, scored)

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        network = self.make(len(classes) + 1)
        if initial is not None:
            self.start_from(network, initial, classes)
        return self._use(network, Labels.of(classes))

    def start_from(self, network: torch.nn.Module, initial: Weights, classes: tuple[str, ...]) -> None:
        """Load initial weights into a network before training.

        Raises:
            WeightsError: the weights do not fit the network.
        """
        from harness.weights import load_into

        load_into(network, self.initial_state(network, initial, classes), f"weights {initial.path}")

    def initial_state(
        self, network: torch.nn.Module, initial: Weights, classes: tuple[str, ...]
    ) -> dict[str, torch.Tensor]:
        """Return the initial tensors for training. Their head must have as many classes as the dataset.

        Raises:
            WeightsError: the weights are not a file, cannot be read, or have another number of classes.
        """
        from harness.weights import load_state

        if initial.path is None:
            raise WeightsError(f"model {self.name}: weights {initial.name} are no file.")
        state = load_state(initial)
        found = head_outputs(network, len(classes) + 1, state)
        check_head(initial, found - 1, classes)
        return state

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        from harness.weights import load_into, load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        labels = Labels.of(weights.classes or classes)
        network = self.make(labels.outputs)
        state = load_state(weights)
        self.check_outputs(network, state, labels, weights)
        load_into(network, state, f"weights {weights.path}")
        self._place(self._use(network, labels), device, precision)

    def check_outputs(
        self, network: torch.nn.Module, state: Mapping[str, torch.Tensor], labels: Labels, weights: Weights
    ) -> None:
        """Check that the size of the head equals the number of classes.

        Raises:
            WeightsError: the numbers differ; the message has both.
        """
        found = head_outputs(network, labels.outputs, state)
        if found != labels.outputs:
            origin = "its file names" if weights.classes else "the dataset has"
            raise WeightsError(
                f"weights {weights.path} were trained on {found - 1} classes (head of {found} "
                f"outputs with the background), {origin} {len(labels.classes)}: {_few(labels.classes)}. Give weights "
                "for these classes, or name the weights' own in a file beside them (NAME.json: "
                '{"classes": [...]}).'
            )

    def predict(self, batch: torch.Tensor) -> list[list[Any]]:
        import torch

        count, scored = batch.shape[:2]
        frames = batch.to(self._device, non_blocking=True).flatten(0, 1)
        with torch.no_grad(), autocast(self._device, self._precision):
            outputs = self.network(self._images(frames))
        predictions = [self.found(output) for output in on_cpu([self.needed(output) for output in outputs])]
        return [predictions[i * scored : (i + 1) * scored] for i in range(count)]

    def needed(self, output: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return what `found` needs of the network's output for one frame, on the device. The default returns all."""
        return output

    @abstractmethod
    def found(self, output: Mapping[str, torch.Tensor]) -> Any:
        """Convert what `needed` returned for one frame, now on the CPU, to a prediction of the task's type."""

    def collate_train(self, examples: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, list[Any]]:
        targets = [{name: value for name, value in example.items() if name != "image"} for example in examples]
        return {"images": [example["image"] for example in examples], "targets": targets}

    def losses(self, batch: Mapping[str, list[Any]], part: str) -> Mapping[str, torch.Tensor]:
        import torch

        device = next(self.network.parameters()).device
        images = [image.to(device, torch.float32) / 255 for image in batch["images"]]
        targets = [{name: value.to(device) for name, value in target.items()} for target in batch["targets"]]
        losses: Mapping[str, torch.Tensor] = self.network(images, targets)
        return losses

    def _use(self, network: torch.nn.Module, labels: Labels) -> torch.nn.Module:
        self._network, self._labels, self.classes = network, labels, labels.classes
        return network

    def _place(self, network: torch.nn.Module, device: str, precision: Precision) -> None:
        from torchvision.models.detection.transform import GeneralizedRCNNTransform

        from harness_tasks.networks.batch_transform import BatchTransform

        transform = getattr(network, "transform", None)
        if type(transform) is GeneralizedRCNNTransform:
            network.transform = BatchTransform.of(transform)
        network.eval().to(device)
        self._device, self._precision = device, precision

    def _images(self, frames: torch.Tensor) -> Any:
        """Return the network's argument for frames uint8[N, H, W, 3] on the device."""
        import torch

        from harness_tasks.networks.batch_transform import BatchTransform

        images = frames.permute(0, 3, 1, 2)
        if isinstance(getattr(self.network, "transform", None), BatchTransform):
            return images
        return list((images.contiguous().to(torch.float32) / 255).unbind(0))


def check_head(initial: Weights, found: int, classes: Sequence[str]) -> None:
    """Check that initial weights were trained on as many classes as the dataset has.

    Raises:
        WeightsError: the numbers differ.
    """
    if found != len(classes):
        raise WeightsError(
            f"weights {initial.path} were trained on {found} classes, the dataset has {len(classes)}: "
            f"{_few(classes)}. Training can start from weights for as many classes as the dataset has, or from none."
        )


def head_outputs(network: torch.nn.Module, outputs: int, state: Mapping[str, torch.Tensor]) -> int:
    """Return the number of outputs of the head in a state dict.

    Each layer of a head that depends on the classes has a multiple of their number as its first dimension.

    Args:
        network: the same network, possibly with another number of outputs.
        outputs: that network's number of outputs.
        state: the state dict.

    Returns:
        The number of outputs; or `outputs` if no layer of the state dict shows another number.
    """
    for name, tensor in network.state_dict().items():
        stored = state.get(name)
        if stored is None or stored.shape == tensor.shape or stored.ndim != tensor.ndim or not tensor.ndim:
            continue
        count, rest = divmod(stored.shape[0] * outputs, tensor.shape[0])
        if rest == 0 and stored.shape[1:] == tensor.shape[1:] and not any(part in name for part in _NOT_HEAD):
            return int(count)
    return outputs


def _few(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
