"""Translate the tensor names of published weight files to the names of this network.

The published body model (Caffe, Cao et al., CVPR 2017) is widely used with PyTorch as a state dict with its layers'
names. The front has VGG19's `conv1_1` to `conv4_2`, then `conv4_3_CPM` and `conv4_4_CPM`. Stage 1 has `conv5_1_CPM_L1`
to `conv5_5_CPM_L1` for the fields and `..._L2` for the maps. Stages 2 to 6 have `Mconv1_stage2_L1` to
`Mconv7_stage6_L2`. If the state dict was saved from the PyTorch module that loads the file, the names have prefixes:
`model0.`, and `model1_1.` to `model6_2.`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.errors import WeightsError

if TYPE_CHECKING:
    import torch

__all__ = ["imagenet_front", "is_imagenet", "is_published", "of_published"]

_PREFIX = re.compile(r"^model\d(_\d)?\.")
_FRONT = {
    **{0: "conv1_1", 2: "conv1_2", 5: "conv2_1", 7: "conv2_2"},
    **{10: "conv3_1", 12: "conv3_2", 14: "conv3_3", 16: "conv3_4"},
    **{19: "conv4_1", 21: "conv4_2", 23: "conv4_3_CPM", 25: "conv4_4_CPM"},
}
"""The front's layers by their position. The first ten have the same positions in torchvision's VGG19."""
_IMAGENET_LAYERS = 10
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def is_published(state: Mapping[str, torch.Tensor]) -> bool:
    """Return whether a state dict has the tensor names of the published body model."""
    return any(_PREFIX.sub("", name) == "conv1_1.weight" for name in state)


def of_published(state: Mapping[str, torch.Tensor], stages: int, what: str) -> dict[str, torch.Tensor]:
    """Return the published model's tensors under this network's names. Stages beyond `stages` are left out.

    Raises:
        WeightsError: a name does not belong to the body model (for example, it belongs to the hand model).
    """
    names = _published_names()
    renamed = {}
    for name, tensor in state.items():
        layer, _, kind = _PREFIX.sub("", name).rpartition(".")
        if layer not in names:
            raise WeightsError(f"{what}: {name} is no layer of the published body model of OpenPose.")
        stage, layer_here = names[layer]
        if stage <= stages:
            renamed[f"{layer_here}.{kind}"] = tensor
    return renamed


def _published_names() -> dict[str, tuple[int, str]]:
    """Return the stage (0 for the front) and this network's name of each published layer."""
    names = {layer: (0, f"front.{place}") for place, layer in _FRONT.items()}
    for branch, branch_here in (("L1", "affinity"), ("L2", "confidence")):
        for layer in range(5):
            names[f"conv5_{layer + 1}_CPM_{branch}"] = (1, f"{branch_here}.0.{2 * layer}")
        for stage in range(2, 7):
            for layer in range(7):
                names[f"Mconv{layer + 1}_stage{stage}_{branch}"] = (stage, f"{branch_here}.{stage - 1}.{2 * layer}")
    return names


def is_imagenet(state: Mapping[str, torch.Tensor]) -> bool:
    """Return whether a state dict has the tensor names of torchvision's VGG19."""
    return "features.0.weight" in state and "features.21.weight" in state


def imagenet_front(state: Mapping[str, torch.Tensor], what: str) -> dict[str, torch.Tensor]:
    """Return the first ten layers of torchvision's VGG19, adapted to this network's input.

    torchvision's VGG19 takes normalised RGB; this network takes BGR / 256 - 0.5.

    Raises:
        WeightsError: a layer is missing (the file is of a VGG with batch norm, or of a smaller one).
    """
    import torch

    positions = list(_FRONT)[:_IMAGENET_LAYERS]
    names = [f"features.{place}.{kind}" for place in positions for kind in ("weight", "bias")]
    if missing := [name for name in names if name not in state]:
        raise WeightsError(f"{what}: a VGG19 without batch norm was expected; {missing[0]} is missing.")
    front = {name.replace("features.", "front."): state[name].to(torch.float32) for name in names}
    weight = front["front.0.weight"] / torch.tensor(_DEVIATION)[:, None, None]
    offset = 0.5 * 256 / 255 - torch.tensor(_MEAN)[:, None, None]
    front["front.0.bias"] = front["front.0.bias"] + (weight * offset).sum(dim=(1, 2, 3))
    front["front.0.weight"] = (weight * 256 / 255).flip(1)
    return front
