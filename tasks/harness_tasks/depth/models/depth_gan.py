"""The model `depth-gan`: a U-Net that predicts depth maps, trained against a discriminator.

The study uses "a simplified network from" Atapour-Abarghouei and Breckon, "Real-Time Monocular Depth Estimation Using
Synthetic Data with Domain Adaptation via Image Style Transfer" (CVPR 2018), and does not say how it was simplified.
Here it is their depth estimator without the style transfer between synthetic and real images. That is pix2pix (Isola et
al., CVPR 2017): a U-Net with skip connections, and a discriminator that classifies patches of a depth map together with
the image. The generator's loss is `l1` times the mean absolute error, plus `adversarial` times the cross-entropy
between the discriminator's output and "real". The default weights are 100 and 1, as in pix2pix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import harness
from harness.errors import TrainingError, WeightsError
from harness.model import PRECISIONS, Model, Precision, Weights, autocast
from harness.options import Option
from harness_tasks.images import channels_first, resized, resized_frame
from harness_tasks.networks.dense import DenseModel
from harness_tasks.networks.pixels import float_images

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.codec import Frames

__all__ = ["DepthGan"]

_DISCRIMINATOR = "discriminator."


class DepthGan(DenseModel):
    """A U-Net with a patch discriminator (pix2pix).

    The generator predicts a share of 0-1 for each pixel. The share stands for a depth between `min_depth` and
    `max_depth`, on a scale that is linear in the logarithm of depth, or in its inverse. Depths outside this range
    cannot be predicted. Pixels whose true depth is missing or outside the range are not used in training. At these
    pixels the true map gets the predicted values before the discriminator sees it, so that the discriminator cannot
    recognise it by its holes.

    A prepared sample is uint8[S, H, W, 3], the S scored frames as they were decoded; a batch is uint8[B, S, H, W, 3]. A
    training example is a dict of `image` (uint8[3, H, W]) and `depth` (float32[H, W], NaN where missing).

    A weights file has generator and discriminator. Inference needs only the generator. Training can start from a file
    with both, or from one with the generator alone.
    """

    name = "depth-gan"
    summary = "U-Net generator with a patch discriminator (pix2pix), as the study simplifies Atapour-Abarghouei 2018"
    task: ClassVar[str] = "depth"
    parts: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS
    options = (
        Option("width", int, 8, "channels at full resolution; 16 times as many at the coarsest", minimum=1),
        Option(
            "output",
            str,
            "log-depth",
            "what the network's output is even in: the logarithm of depth, or its inverse",
            choices=("log-depth", "inverse"),
        ),
        Option("min_depth", float, 1.0, "the nearest depth that is predicted, in the dataset's unit", minimum=1e-6),
        Option("max_depth", float, 80.0, "the farthest depth that is predicted, in the dataset's unit", minimum=1e-6),
        Option("input_scale", float, 1.0, "images are resized by this before the network", minimum=0.01, maximum=4),
        Option("crop", int, 0, "side of random square crops in pixels of the resized image; 0: none", only="training"),
        Option("l1", float, 100.0, "weight of the mean absolute error of the output", minimum=0, only="training"),
        Option("adversarial", float, 1.0, "weight of the discriminator's verdict", minimum=0, only="training"),
    )

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._device = "cpu"
        self._precision: Precision = "fp32"
        self._predicted: tuple[torch.Tensor, torch.Tensor] | None = None

    def available(self) -> str | None:
        near, far = self.option("min_depth"), self.option("max_depth")
        return None if near < far else f"min_depth={near:g} is not below max_depth={far:g}."

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        from harness.weights import load_into
        from harness_tasks.depth.models.depth_gan_network import DepthGanNetwork

        state = {k: v for k, v in self._state(weights).items() if not k.startswith(_DISCRIMINATOR)}
        network = DepthGanNetwork(self.option("width"), discriminator=False)
        load_into(network, state, f"weights {weights.path}")
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)
        self._device, self._precision = device, precision

    def predict(self, batch: torch.Tensor) -> list[list[NDArray[np.float32]]]:
        import torch
        from torch.nn import functional

        count, scored, height, width, _ = batch.shape
        images = float_images(batch, self._device).div_(255)
        size = _scaled((height, width), self.option("input_scale"))
        with torch.no_grad(), autocast(self._device, self._precision):
            if size != (height, width):
                images = resized(images, size)
            shares = self.network(images)
            if size != (height, width):
                shares = functional.interpolate(shares, (height, width), mode="bilinear")
        maps = self.depth_of(shares.float())[:, 0].cpu().numpy()
        return [list(maps[i * scored : (i + 1) * scored]) for i in range(count)]

    def depth_of(self, shares: torch.Tensor) -> torch.Tensor:
        """Convert the network's outputs (0-1) to depths."""
        near, far = self._limits()
        if self.option("output") == "inverse":
            return (shares * (far - near)).add_(near).reciprocal_()
        return (shares * (far - near)).add_(near).exp_()

    def share_of(self, depth: torch.Tensor) -> torch.Tensor:
        """Convert depths to the network's outputs (0-1); NaN for a depth that is missing or outside `min_depth` to
        `max_depth`."""
        import torch

        near, far = self._limits()
        known = (depth >= self.option("min_depth")) & (depth <= self.option("max_depth"))
        depth = depth.where(known, torch.full_like(depth, torch.nan))
        value = 1 / depth if self.option("output") == "inverse" else depth.log()
        return (value - near) / (far - near)

    def _limits(self) -> tuple[float, float]:
        """Return `min_depth` and `max_depth` on the scale of the network's output: logarithm or inverse."""
        import math

        ends = (self.option("min_depth"), self.option("max_depth"))
        if self.option("output") == "inverse":
            return 1 / ends[0], 1 / ends[1]
        return math.log(ends[0]), math.log(ends[1])

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        from harness.weights import load_into
        from harness_tasks.depth.models.depth_gan_network import DepthGanNetwork

        network = DepthGanNetwork(self.option("width"))
        if initial is not None:
            state = self._state(initial)
            if not any(name.startswith(_DISCRIMINATOR) for name in state):
                state |= {k: v for k, v in network.state_dict().items() if k.startswith(_DISCRIMINATOR)}
            load_into(network, state, f"weights {initial.path}")
        self._network = network
        return network

    def parameters(self, part: str) -> list[torch.nn.Parameter]:
        return list(self.network.get_submodule(part).parameters())

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, NDArray[np.float32]], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return one scored frame with its depth map, resized and cropped by the options, mirrored with probability
        0.5."""
        import numpy as np
        import torch

        number = sorted(targets)[int(rng.integers(len(targets)))]
        image, depth = _resized_pair(frames[number], targets[number], self.option("input_scale"))
        if side := self.option("crop"):
            if min(depth.shape) < side:
                raise TrainingError(
                    f"model {self.name}: crop={side} does not fit a training image of "
                    f"{depth.shape[1]}x{depth.shape[0]} pixels (after input_scale)."
                )
            top, left = (int(rng.integers(length - side + 1)) for length in depth.shape)
            image, depth = image[top : top + side, left : left + side], depth[top : top + side, left : left + side]
        if rng.random() < 0.5:
            image, depth = image[:, ::-1], depth[:, ::-1]
        return {"image": channels_first(image), "depth": torch.from_numpy(np.ascontiguousarray(depth))}

    def collate_train(self, examples: Sequence[Mapping[str, torch.Tensor]]) -> Any:
        sizes = sorted({tuple(example["depth"].shape) for example in examples})
        if len(sizes) > 1:
            listing = ", ".join(f"{width}x{height}" for height, width in sizes)
            raise TrainingError(
                f"model {self.name}: one batch has images of {listing} pixels. Train on crops of one size, as in "
                f"--model {self.name}:crop=256."
            )
        return self.collate(examples)

    def losses(self, batch: Mapping[str, torch.Tensor], part: str) -> Mapping[str, torch.Tensor]:
        """Return the losses of one part.

        The generator has the losses `l1` and `adversarial`. The discriminator has `real` and `false`, each halved as in
        pix2pix. The map that the generator predicted for a batch is reused in the discriminator's turn on the same
        batch.
        """
        import torch
        from torch.nn import functional

        pixels = batch["image"]
        images = (pixels.to(torch.float32) / 255).contiguous(memory_format=torch.channels_last)
        truth = self.share_of(batch["depth"])[:, None]
        discriminator = self.network.get_submodule("discriminator")
        if part == "discriminator":
            predicted = self._last_prediction(pixels, images)
            real = discriminator(images, truth.where(truth.isfinite(), predicted))
            false = discriminator(images, predicted)
            cross_entropy = functional.binary_cross_entropy_with_logits
            return {
                "real": cross_entropy(real, torch.ones_like(real)) / 2,
                "false": cross_entropy(false, torch.zeros_like(false)) / 2,
            }
        predicted = self.network(images)
        self._predicted = (pixels, predicted.detach())
        known = truth.isfinite()
        error = (predicted - truth.where(known, predicted.detach())).abs().sum() / known.sum().clamp(min=1)
        losses = {"l1": self.option("l1") * error}
        if self.option("adversarial"):
            discriminator.requires_grad_(False)
            logits = discriminator(images, predicted)
            discriminator.requires_grad_(True)
            real_labels = torch.ones_like(logits)
            losses["adversarial"] = self.option("adversarial") * functional.binary_cross_entropy_with_logits(
                logits, real_labels
            )
        return losses

    def _last_prediction(self, pixels: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Return the map that the generator just predicted for this batch; predict it if there is none."""
        import torch

        if self._predicted is not None and self._predicted[0] is pixels:
            return self._predicted[1]
        with torch.no_grad():
            predicted: torch.Tensor = self.network(images)
        return predicted

    def _state(self, weights: Weights) -> dict[str, torch.Tensor]:
        from harness.weights import load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        return load_state(weights)


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return a height and width multiplied by a factor, rounded to the nearest pixel, at least one."""
    return max(1, int(size[0] * factor + 0.5)), max(1, int(size[1] * factor + 0.5))


def _resized_pair(
    image: NDArray[np.uint8], depth: NDArray[np.float32], factor: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Scale an image as in prediction, and its depth map by nearest neighbour, which does not mix depths across
    edges."""
    import numpy as np

    height, width = _scaled((depth.shape[0], depth.shape[1]), factor)
    if (height, width) == depth.shape:
        return image, depth
    rows = ((np.arange(height) + 0.5) * depth.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * depth.shape[1] / width).astype(np.intp)
    return resized_frame(image, (height, width)), depth[rows[:, None], columns]


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [DepthGan]
