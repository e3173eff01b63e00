"""torchvision's weights of its networks, and the batch norms that these weights need."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError
from harness.model import Weights

if TYPE_CHECKING:
    import torch

__all__ = [
    "allow_for_epsilon",
    "default_member",
    "fetched",
    "match_norms",
    "member_of",
    "members",
    "output_names",
    "resolved",
    "without_epsilon",
]

# torchvision trained these detectors with batch norms without epsilon, and sets epsilon to 0 when it loads their
# weights (pytorch/vision #2933).
_WITHOUT_EPSILON = {
    "fasterrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
}


def members(arch: str) -> dict[str, Any]:
    """Return all torchvision weights of an architecture, by name."""
    from torchvision.models import get_model_weights

    return {member.name: member for member in get_model_weights(arch)}


def default_member(arch: str) -> Any:
    """Return torchvision's default weights of an architecture."""
    from torchvision.models import get_model_weights

    return get_model_weights(arch)["DEFAULT"]


def output_names(member: Any) -> tuple[str, ...]:
    """Return the names of the network's outputs, the background first."""
    return tuple(member.meta["categories"])


def member_of(arch: str, sha256: str) -> Any:
    """Return the torchvision weights that a file's SHA-256 belongs to, or None."""
    return next((m for m in members(arch).values() if sha256.startswith(_digits(m))), None)


def _digits(member: Any) -> str:
    """Return the first digits of the SHA-256 from the file name, as in "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"."""
    match = re.search(r"-([0-9a-f]{8,})\.", member.url.rpartition("/")[2])
    if match is None:
        raise WeightsError(f"torchvision's weights {member.url} carry no digest in their name.")
    return match.group(1)


def without_epsilon(arch: str, member: Any) -> bool:
    """Return whether these weights were trained with batch norms without epsilon."""
    return arch in _WITHOUT_EPSILON and member.name == "COCO_V1"


def fetched(member: Any) -> tuple[Path, str]:
    """Return the file of torchvision's weights and its SHA-256. The file is downloaded if it is not there.

    Raises:
        WeightsError: the download failed, or the file was altered.
    """
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


def resolved(model: str, arch: str, asked: str | None) -> Weights:
    """Find weights by torchvision's name ("COCO_V1", "DEFAULT"; None means DEFAULT) or in a file.

    Weights of torchvision are downloaded to torchvision's own cache, unless they are there. torchvision's file
    names contain the first eight digits of the SHA-256; the file is checked against them.

    Args:
        model: the model's name.
        arch: torchvision's name of the network.
        asked: what was asked for.

    Returns:
        The weights. Their classes are the names of the network's outputs, or those that the file names; empty if
        neither is known.

    Raises:
        WeightsError: there is no such file or name, the download failed, or the file was altered.
    """
    from harness.weights import from_file, split_key

    if asked is not None and split_key(asked)[0].is_file():
        weights = from_file(model, asked)
        member = None if weights.classes else member_of(arch, weights.sha256)
        return replace(weights, classes=output_names(member)) if member else weights
    available = {**members(arch), "DEFAULT": default_member(arch)}
    member = available.get((asked or "DEFAULT").rpartition(".")[2])
    if member is None:
        raise WeightsError(
            f"weights {asked} for model {model}: there is no such file, and torchvision has no weights of that "
            f"name for {arch}. It has: {', '.join(available)}."
        )
    path, digest = fetched(member)
    return Weights(member.name, path, digest, output_names(member))


def allow_for_epsilon(network: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Scale the weights of frozen batch norms trained without epsilon, so that they give the same output with epsilon.

    A model that is trained from them is saved, and later loaded with the usual epsilon, like every other file.
    """
    from torchvision.ops import FrozenBatchNorm2d

    for name, module in network.named_modules():
        if isinstance(module, FrozenBatchNorm2d):
            variance = state[f"{name}.running_var"]
            state[f"{name}.weight"] = state[f"{name}.weight"] * ((variance + module.eps) / variance).sqrt()


def match_norms(network: torch.nn.Module, state: dict[str, torch.Tensor], epsilon: float | None = None) -> None:
    """Replace the backbone's batch norms by frozen ones if the state dict was saved from frozen ones.

    torchvision builds pretrained detectors with frozen batch norms, and untrained detectors with normal ones. Only
    normal batch norms store `num_batches_tracked`, so the entry's absence shows that they were frozen, or that the file
    was written without the entry. Both give the same output.

    Args:
        network: the network.
        state: the state dict.
        epsilon: the epsilon of the frozen batch norms; None for that of the network's own.
    """
    import torch
    from torchvision.ops import FrozenBatchNorm2d

    for prefix, parent in list(network.named_modules()):
        for name, child in list(parent.named_children()):
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(child, torch.nn.BatchNorm2d) and f"{path}.num_batches_tracked" not in state:
                setattr(parent, name, FrozenBatchNorm2d(child.num_features, child.eps if epsilon is None else epsilon))
