"""The base class of networks that predict one score per class and pixel: prediction, losses and training data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from harness.errors import TrainingError, UsageError, WeightsError
from harness.model import PRECISIONS, Precision, Weights, autocast
from harness.options import Option
from harness_tasks.images import channels_first, resized
from harness_tasks.networks.dense import DenseModel
from harness_tasks.networks.pixels import normalise_
from harness_tasks.segmentation.models.augmentation import Augmentation, resized_pair
from harness_tasks.segmentation.models.label_maps import label_maps
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["SHARED_OPTIONS", "PixelClassifier", "parse_size"]

_NORMALISATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and standard deviation of red, green and blue (0-1): torchvision's for ImageNet, or no normalisation."""

SHARED_OPTIONS = (
    Option("size", str, None, "WIDTHxHEIGHT that frames are resized to for the network; not set: as they are"),
    Option(
        "normalise",
        str,
        "imagenet",
        "imagenet: mean and deviation of ImageNet, as encoders trained on it want; unit: 0-1",
        choices=tuple(_NORMALISATIONS),
    ),
    Option("crop", str, None, "WIDTHxHEIGHT of random crops; not set: whole frames", only="training"),
    Option(
        "scale", float, 1.0, "largest factor of random scaling, both ways", minimum=1.0, maximum=8.0, only="training"
    ),
    Option("jitter", float, 0.2, "random change of light, as a share", minimum=0.0, maximum=1.0, only="training"),
    Option(
        "class_weights", str, None, "weights of the classes in the cross entropy, with | between them", only="training"
    ),
    Option("dice", float, 0.0, "weight of the soft Dice loss beside the cross entropy", minimum=0.0, only="training"),
)


class PixelClassifier(DenseModel):
    """A network that computes scores float[B, classes, H, W] from float[B, 3, H, W] (normalised RGB).

    A prepared sample is uint8[S, H, W, 3], the S scored frames as they were decoded; a batch is uint8[B, S, H, W, 3].
    With the option `size`, frames are resized for the network (bilinear, with antialiasing when they shrink), and the
    scores are interpolated back. So label maps always have the size of the source frame. A training example is a dict
    of `image` (uint8[3, H, W]) and `labels` (uint8[H, W], 255 for pixels that are not used in training).

    A subclass builds the network, and names a tensor (`head`) whose first dimension is the number of classes.
    """

    task: ClassVar[str] = "segmentation"
    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS
    options: ClassVar[tuple[Option, ...]] = SHARED_OPTIONS
    head: str
    """The name of the last layer's weight tensor in the state dict."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._size = parse_size("size", self.option("size"))
        crop = parse_size("crop", self.option("crop"))
        self._augmentation = Augmentation(crop, self.option("scale"), self.option("jitter"))
        self._class_weights = _numbers("class_weights", self.option("class_weights"))
        self._device = "cpu"
        self._precision: Precision = "fp32"

    @abstractmethod
    def make(self, outputs: int) -> torch.nn.Module:
        """Return a new network with `outputs` classes, on the CPU, initialised from torch's random state."""

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        self._check_class_weights(classes)
        self._network, self.classes = self.make(len(classes)), classes
        if initial is not None:
            self._fill(initial, self.state_of(initial), classes, "the dataset has")
        return self._network

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        state = self.state_of(weights)
        named = weights.classes or self.usual_classes(state, classes)
        self.classes = named or classes
        self._network = self.make(len(self.classes))
        self._fill(weights, state, self.classes, "its file names" if named else "the dataset has")
        self._network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._precision = device, precision

    def state_of(self, weights: Weights) -> dict[str, torch.Tensor]:
        """Return the state dict of weights. A subclass may leave out what its network does not have.

        Raises:
            WeightsError: the weights are no file, or cannot be read.
        """
        from harness.weights import load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        return load_state(weights)

    def usual_classes(self, state: Mapping[str, torch.Tensor], classes: Sequence[str]) -> tuple[str, ...]:
        """Return the classes of weights whose file names none; empty for those of the dataset, `classes`."""
        return ()

    def _fill(self, weights: Weights, state: dict[str, torch.Tensor], classes: Sequence[str], origin: str) -> None:
        from harness.weights import load_into

        head = state.get(self.head)
        if head is not None and head.ndim and head.shape[0] != len(classes):
            names = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
            raise WeightsError(
                f"weights {weights.path} tell {head.shape[0]} classes apart, {origin} {len(classes)}: {names}. Give "
                "weights for these classes, or name the weights' own in a file beside them (NAME.json: "
                '{"classes": [...]}).'
            )
        load_into(self.network, state, f"weights {weights.path}")

    def predict(self, batch: torch.Tensor) -> list[list[NDArray[np.uint8]]]:
        """Return the label map uint8[H, W] of each scored frame, in the size of the frame."""
        import torch

        count, scored, height, width, _ = batch.shape
        frames = batch.to(self._device, non_blocking=True).flatten(0, 1)
        images = self.images(frames.permute(0, 3, 1, 2))
        with torch.no_grad(), autocast(self._device, self._precision):
            scores = self.scores(images)
        scores = scores.float()
        if scores.shape[2:] != (height, width):
            scores = resized(scores.contiguous(), (height, width))  # the same bits as channels last, in less time
        labels = label_maps(scores)
        return [list(labels[i * scored : (i + 1) * scored]) for i in range(count)]

    def network_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which frames of this size are resized for the network."""
        return self._size or (height, width)

    def images(self, frames: torch.Tensor) -> torch.Tensor:
        """Convert frames uint8[N, 3, H, W] on the device to the network's input, float32[N, 3, h, w]."""
        return resized(self._normalised(frames), self.network_size(frames.shape[2], frames.shape[3]))

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Compute scores float[N, classes, H, W] from normalised images float[N, 3, H, W].

        The default calls the network; a subclass can add steps before and after.
        """
        scores: torch.Tensor = self.network(images)
        return scores

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Convert uint8[N, 3, H, W] to float32, channels last, normalised by the option `normalise`."""
        import torch

        pixels = images.to(torch.float32, copy=True, memory_format=torch.channels_last)
        return normalise_(pixels.div_(255), *_NORMALISATIONS[self.option("normalise")])

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, NDArray[np.uint8]], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return one scored frame with its labels, resized as for prediction and augmented."""
        import numpy as np
        import torch

        number = sorted(targets)[int(rng.integers(len(targets)))]
        image, labels = frames[number], targets[number]
        image, labels = resized_pair(image, labels, self.network_size(*labels.shape))
        image, labels = self._augmentation(image, labels, rng)
        return {"image": channels_first(image), "labels": torch.from_numpy(np.ascontiguousarray(labels))}

    def collate_train(self, examples: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        import torch

        sizes = {tuple(example["labels"].shape) for example in examples}
        if len(sizes) > 1:
            found = ", ".join(sorted(f"{width}x{height}" for height, width in sizes))
            raise TrainingError(
                f"model {self.name}: frames of one batch have different sizes ({found}). Give the option crop or size, "
                f"as in {self.name}:crop=320x240."
            )
        return {key: torch.stack([example[key] for example in examples]) for key in ("image", "labels")}

    def losses(self, batch: Mapping[str, torch.Tensor], part: str) -> Mapping[str, torch.Tensor]:
        """Return the cross entropy over all labelled pixels of the batch, and the Dice loss if the option `dice` is not
        0."""
        device = next(self.network.parameters()).device
        labels = batch["labels"].to(device).long()
        scores = self.scores(self._normalised(batch["image"].to(device))).float()
        losses = {"cross_entropy": _cross_entropy(scores, labels, self._class_weights)}
        if self.option("dice"):
            losses["dice"] = self.option("dice") * _dice(scores, labels)
        return losses

    def _check_class_weights(self, classes: Sequence[str]) -> None:
        given = self._class_weights
        if given is not None and len(given) != len(classes):
            raise TrainingError(
                f"model {self.name}: class_weights has {len(given)} numbers, the dataset has {len(classes)} classes."
            )


def parse_size(option: str, text: str | None) -> tuple[int, int] | None:
    """Parse "WIDTHxHEIGHT" as (height, width); None stays None.

    Raises:
        UsageError: the text has another form.

    >>> parse_size("crop", "320x240")
    (240, 320)
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"option {option}={text}: WIDTHxHEIGHT in pixels is expected, as in {option}=320x240.")
    return int(height), int(width)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split("|"))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 <= number < float("inf") for number in numbers):
        raise UsageError(f"option {option}={text}: numbers from 0 are expected, with | between them.")
    return numbers


def _cross_entropy(scores: torch.Tensor, labels: torch.Tensor, weights: Sequence[float] | None) -> torch.Tensor:
    """Return the weighted mean over labelled pixels; 0 if there is none."""
    import torch
    from torch.nn import functional as F

    known = labels != IGNORE
    if weights is None:
        total, share = F.cross_entropy(scores, labels, ignore_index=IGNORE, reduction="sum"), known.sum()
    else:
        weight = torch.tensor(weights, device=scores.device)
        total = F.cross_entropy(scores, labels, weight, ignore_index=IGNORE, reduction="sum")
        share = weight[labels[known]].sum()
    return total / share.clamp(min=1e-6)


def _dice(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return 1 - 2 |P T| / (|P| + |T|), averaged over the classes in the batch; P are the probabilities, T is the
    target.

    Milletari, Navab and Ahmadi, "V-Net" (3DV 2016), but with |P| and |T| as plain sums. All sums are over the whole
    batch.
    """
    import torch

    labelled = (labels != IGNORE).unsqueeze(1)
    probabilities = scores.softmax(dim=1) * labelled
    truth = torch.zeros_like(probabilities).scatter_(1, labels.where(labelled[:, 0], 0).unsqueeze(1), 1.0) * labelled
    intersection = (probabilities * truth).sum(dim=(0, 2, 3))
    areas = truth.sum(dim=(0, 2, 3))
    present = areas > 0
    loss = 1 - 2 * intersection / (probabilities.sum(dim=(0, 2, 3)) + areas).clamp(min=1e-6)
    return (loss * present).sum() / present.sum().clamp(min=1)
