"""The two networks of a two-stream model. Imports torch: only files that make networks import it.

In a state dict every tensor's name begins with its stream, "spatial." or "motion.".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

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
"""The backbones, with the name of the layer that gives the classes."""
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class SmallStream(nn.Module):
    """The small front, a residual stage at stride 16, and the mean over the image: 0.9 M parameters.

    Args:
        channels: of the input.
        classes: how many.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.front = SmallFront(channels)
        self.deep = nn.Sequential(Convolution(CHANNELS[-1], CHANNELS[-1], 2), Residual(CHANNELS[-1]))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(CHANNELS[-1], classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32[B, channels, H, W] -> logits float32[B, classes]."""
        logits: torch.Tensor = self.head(self.dropout(self.deep(self.front(images)).mean((2, 3))))
        return logits


class TwoStream(nn.Module):
    """A spatial and a motion stream (Simonyan and Zisserman, NeurIPS 2014).

    Args:
        backbone: one of `HEADS`.
        classes: how many.
        length: L, flow fields in a stack: the motion stream has 2 L input channels.
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
        """The logits of one stream, float32[B, classes].

        Args:
            part: "spatial" or "motion".
            inputs: uint8[B, 3, H, W] (RGB), or int8[B, 2 L, H, W] (flow, 127 = the bound). Frames are normalised as
                the backbone's own weights want it; of flow, a quarter of the bound becomes 1.
        """
        if part == "motion":
            prepared = inputs.float() * (4 / 127)
        elif isinstance(self.spatial, SmallStream):
            prepared = normalised(inputs)
        else:
            prepared = (inputs.float() / 255 - self.mean) / self.deviation
        logits: torch.Tensor = self.get_submodule(part)(prepared)
        return logits

    def start_from(self, state: Mapping[str, torch.Tensor], backbone: str) -> bool:
        """Start the streams from a network of another kind, as far as it has what they need.

        A small backbone takes the front of any model that has one into its spatial stream; the motion stream stays
        as it is. A backbone of torchvision takes torchvision's own weights without their last layer into both
        streams, the motion stream's first layer adapted (`adapt_to_stack`).

        Returns:
            whether the state dict is of such a kind; if not, nothing was changed.
        """
        if backbone == "small":
            return _fill(self.spatial.get_submodule("front"), front_of(state))
        head = HEADS[backbone] + "."
        taken = {name: tensor for name, tensor in state.items() if not name.startswith(head)}
        if not _fill(self.spatial, taken, head):
            return False
        name = next(name for name, tensor in self.spatial.state_dict().items() if tensor.ndim == 4)
        channels = self.motion.state_dict()[name].shape[1]
        return _fill(self.motion, taken | {name: adapt_to_stack(taken[name], channels)}, head)


def stream(backbone: str, channels: int, classes: int) -> nn.Module:
    """A new network for one stream: a backbone whose first convolution takes so many channels."""
    if backbone == "small":
        return SmallStream(channels, classes)
    import torchvision

    network: nn.Module = getattr(torchvision.models, backbone)(weights=None, num_classes=classes)
    if channels == 3:
        return network
    name, first = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    owner, _, own_name = name.rpartition(".")
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
    setattr(network.get_submodule(owner), own_name, adapted)
    return network


def adapt_to_stack(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """A first convolution for RGB as one for a stack of flow: its mean over the colours, for every channel.

    Wang et al., "Temporal Segment Networks" (ECCV 2016), section 3.2, cross-modality pre-training. The sum over the
    channels is kept, so that what follows sees values of the same size.

    Args:
        weight: float[outputs, 3, h, w].
        channels: of the stack.
    """
    mean = weight.mean(dim=1, keepdim=True) * (weight.shape[1] / channels)
    return mean.repeat(1, channels, 1, 1)


def head_outputs(state: Mapping[str, torch.Tensor], backbone: str) -> int | None:
    """The number of classes that a two-stream state dict was made for; None where it is none of this backbone."""
    weight = state.get(f"spatial.{HEADS[backbone]}.weight")
    return None if weight is None or weight.ndim != 2 else int(weight.shape[0])


def _fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], without: str | None = None) -> bool:
    """Copy tensors into a network, all of it but what begins with `without`; False where they are not just these."""
    own = {name: tensor for name, tensor in network.state_dict().items() if not without or not name.startswith(without)}
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}  # old files have no such counters
    if not wanted <= tensors.keys() <= own.keys() or any(tensors[name].shape != own[name].shape for name in tensors):
        return False
    network.load_state_dict(dict(tensors), strict=False)
    return True
