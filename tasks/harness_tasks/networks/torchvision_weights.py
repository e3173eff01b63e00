"""torchvision's weights of its detectors, and the batch norms that they were trained with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError
from harness.model import Weights

if TYPE_CHECKING:
    import torch

__all__ = [
    "EPSILON",
    "allow_for_epsilon",
    "default_member",
    "fetched",
    "match_norms",
    "member_of",
    "members",
    "output_names",
    "without_epsilon",
]

# torchvision trained these with a batch norm that had no epsilon, and sets it to 0 when it loads them (pytorch/vision
# #2933).
_WITHOUT_EPSILON = {
    "fasterrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
}
EPSILON = 1e-5
"""That of batch norms that were trained with one."""


def members(arch: str) -> dict[str, Any]:
    from torchvision.models import get_model_weights

    return {member.name: member for member in get_model_weights(arch)}


def default_member(arch: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(arch)["DEFAULT"]


def output_names(member: Any) -> tuple[str, ...]:
    """The names of the outputs, the background first."""
    return tuple(member.meta["categories"])


def member_of(arch: str, sha256: str) -> Any:
    """torchvision's own weights that a file's digest belongs to, or None."""
    return next((m for m in members(arch).values() if sha256.startswith(_digits(m))), None)


def _digits(member: Any) -> str:
    """The first digits of the SHA-256, from the file's name: "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"."""
    found = re.search(r"-([0-9a-f]{8,})\.", member.url.rpartition("/")[2])
    if found is None:
        raise WeightsError(f"torchvision's weights {member.url} carry no digest in their name.")
    return found.group(1)


def without_epsilon(arch: str, member: Any) -> bool:
    return arch in _WITHOUT_EPSILON and member.name == "COCO_V1"


def fetched(member: Any) -> tuple[Path, str]:
    """The file of torchvision's weights (downloaded if it is not there) and its SHA-256."""
    import torch

    from harness.files import sha256_file
    from harness.weights import check_sha256

    path = Path(torch.hub.get_dir()) / "checkpoints" / member.url.rpartition("/")[2]
    if not path.is_file():
        _download(member.url, path, _digits(member))
    digest = sha256_file(path)
    check_sha256(Weights(member.name, path, digest), _digits(member))
    return path, digest


def _download(url: str, path: Path, digits: str) -> None:
    import sys
    import urllib.request

    import torch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20):
            pass
        torch.hub.download_url_to_file(url, str(path), digits, progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"weights {url} could not be downloaded: {error}. Without a network, put the file at {path} (the folder is "
            "TORCH_HOME's), or give a state dict by --weights."
        ) from error


def allow_for_epsilon(network: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Scale weights of frozen batch norms that had no epsilon, so that with one they compute the same.

    What is trained from them is saved, and loaded with the usual epsilon like every other file.
    """
    from torchvision.ops import FrozenBatchNorm2d

    for name, module in network.named_modules():
        if isinstance(module, FrozenBatchNorm2d):
            variance = state[f"{name}.running_var"]
            state[f"{name}.weight"] = state[f"{name}.weight"] * ((variance + module.eps) / variance).sqrt()


def match_norms(network: torch.nn.Module, state: dict[str, torch.Tensor], epsilon: float) -> None:
    """Make the backbone's batch norms frozen ones, where the state dict comes from such.

    torchvision builds its pretrained detectors with frozen batch norms, and untrained ones with living ones. Only
    the latter count their batches.
    """
    import torch
    from torchvision.ops import FrozenBatchNorm2d

    for prefix, parent in list(network.named_modules()):
        for name, child in list(parent.named_children()):
            place = f"{prefix}.{name}" if prefix else name
            if isinstance(child, torch.nn.BatchNorm2d) and f"{place}.num_batches_tracked" not in state:
                setattr(parent, name, FrozenBatchNorm2d(child.num_features, epsilon))
