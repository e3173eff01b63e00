"""The two networks of a two-stream model.

This module imports torch, so only modules that build networks import it. In a state dict, the name of each tensor
begins with its stream, "spatial." or "motion.".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from harness_tasks.networks.pixels import normalise_
from harness_tasks.networks.small import CHANNELS, Convolution, Residual, SmallFront, front_of, normalised

__all__ = ["HEADS", "SmallStream", "TwoStream", "adapt_to_stack", "head_outputs", "stream"]

HEADS = {
    "small": "head",
    "resnet18": "fc",
    "resnet50": "fc",
    "resnet101": "fc",
    "vgg16": "classifier.6",
    "mobilenet_v3_small": "classifier.3",
    "mobilenet_v3_large": "classifier.3",
}
"""The backbones, with the name of the layer that computes the class logits."""
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class SmallStream(nn.Module):
    """The small front, a residual stage at stride 16, and the mean over the image. It has 0.9 M parameters.

    Args:
        channels: number of input channels.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.front = SmallFront(channels)
        self.deep = nn.Sequential(Convolution(CHANNELS[-1], CHANNELS[-1], 2), Residual(CHANNELS[-1]))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(CHANNELS[-1], classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute logits float32[B, classes] from float32[B, channels, H, W]."""
        logits: torch.Tensor = self.head(self.dropout(self.deep(self.front(images)).mean((2, 3))))
        return logits


class TwoStream(nn.Module):
    """A spatial and a motion stream (Simonyan and Zisserman, NeurIPS 2014).

    Args:
        backbone: one of `HEADS`.
        classes: number of classes.
        length: L, the number of flow fields in a stack; the motion stream has 2 L input channels.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, backbone: str, classes: int, length: int) -> None:
        super().__init__()
        self.spatial = stream(backbone, 3, classes)
        self.motion = stream(backbone, 2 * length, classes)
        mean, deviation = _IMAGENET
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def forward(self, part: str, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the logits of one stream, float32[B, classes].

        Args:
            part: "spatial" or "motion".
            inputs: uint8[B, 3, H, W] (RGB) or int8[B, 2 L, H, W] (flow; 127 is the bound). Frames are normalised as the
                backbone's own weights require. Flow is scaled so that a quarter of the bound becomes 1.
        """
        if part == "motion":
            prepared = inputs.to(torch.float32, copy=True).mul_(4 / 127)
        elif isinstance(self.spatial, SmallStream):
            prepared = normalised(inputs)
        else:
            pixels = inputs.to(torch.float32, copy=True).div_(255)
            prepared = normalise_(pixels, self.mean.flatten(), self.deviation.flatten())
        logits: torch.Tensor = self.get_submodule(part)(prepared)
        return logits

    def start_from(self, state: Mapping[str, torch.Tensor], backbone: str) -> bool:
        """Initialise the streams from a network of another kind, if its state dict has the required tensors.

        With the backbone `small`, the spatial stream takes the front of any model that has one; the motion stream does
        not change. With a torchvision backbone, both streams take torchvision's own weights without their last layer,
        and the motion stream's first layer is adapted (`adapt_to_stack`).

        Returns:
            Whether the state dict was suitable; if not, nothing is changed.
        """
        if backbone == "small":
            return _fill(self.spatial.get_submodule("front"), front_of(state))
        head = HEADS[backbone] + "."
        tensors = {name: tensor for name, tensor in state.items() if not name.startswith(head)}
        if not _fill(self.spatial, tensors, head):
            return False
        name = next(name for name, tensor in self.spatial.state_dict().items() if tensor.ndim == 4)
        channels = self.motion.state_dict()[name].shape[1]
        return _fill(self.motion, tensors | {name: adapt_to_stack(tensors[name], channels)}, head)


def stream(backbone: str, channels: int, classes: int) -> nn.Module:
    """Return a new network for one stream: a backbone whose first convolution has `channels` input channels."""
    if backbone == "small":
        return SmallStream(channels, classes)
    import torchvision

    network: nn.Module = getattr(torchvision.models, backbone)(weights=None, num_classes=classes)
    if channels == 3:
        return network
    name, first = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    owner, _, attribute = name.rpartition(".")
    adapted = nn.Conv2d(
        channels,
        first.out_channels,
        kernel_size=(first.kernel_size[0], first.kernel_size[1]),
        stride=(first.stride[0], first.stride[1]),
        padding=(int(first.padding[0]), int(first.padding[1])),
        bias=first.bias is not None,
    )
    nn.init.kaiming_normal_(adapted.weight, mode="fan_out", nonlinearity="relu")
    if adapted.bias is not None:
        nn.init.zeros_(adapted.bias)
    setattr(network.get_submodule(owner), attribute, adapted)
    return network


def adapt_to_stack(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """Convert a first convolution for RGB to one for a stack of flow: every channel gets its mean over the colours.

    This is the cross-modality pre-training of Wang et al., "Temporal Segment Networks" (ECCV 2016), section 3.2. The
    sum over the channels does not change, so the following layers see values of the same magnitude.

    Args:
        weight: float[outputs, 3, h, w].
        channels: number of channels of the stack.
    """
    mean = weight.mean(dim=1, keepdim=True) * (weight.shape[1] / channels)
    return mean.repeat(1, channels, 1, 1)


def head_outputs(state: Mapping[str, torch.Tensor], backbone: str) -> int | None:
    """Return the number of classes of a two-stream state dict; None if it is not one with this backbone."""
    weight = state.get(f"spatial.{HEADS[backbone]}.weight")
    return None if weight is None or weight.ndim != 2 else int(weight.shape[0])


def _fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], without: str | None = None) -> bool:
    """Copy tensors into a network, except into those whose names begin with `without`.

    Returns False, and copies nothing, if the tensors do not match the network.
    """
    targets = {
        name: tensor for name, tensor in network.state_dict().items() if not without or not name.startswith(without)
    }
    required = {name for name in targets if not name.endswith("num_batches_tracked")}  # old files lack these counters
    if not required <= tensors.keys() <= targets.keys() or any(
        tensors[name].shape != targets[name].shape for name in tensors
    ):
        return False
    network.load_state_dict(dict(tensors), strict=False)
    return True
