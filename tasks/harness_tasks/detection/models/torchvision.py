"""Every detector of torchvision, by name: Faster R-CNN, RetinaNet, FCOS, SSD, and the boxes of Mask and Keypoint R-CNN.

Pre-processing is torchvision's own (the network resizes bilinearly and normalises), on the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.errors import UsageError, WeightsError, closest
from harness.model import Model, Precision, Weights
from harness.options import Option
from harness_tasks.detection.models.common import ImageListDetector, Labels, head_outputs

if TYPE_CHECKING:
    import torch

__all__ = ["Torchvision"]

_TWO_STAGE = ("fasterrcnn", "maskrcnn", "keypointrcnn")
_OTHER_HEADS = ("roi_heads.mask_", "roi_heads.keypoint_")
# torchvision trained these with a batch norm that had no epsilon, and sets it to 0 when it loads them (pytorch/vision
# #2933).
_WITHOUT_EPSILON = {
    "fasterrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
}
_EPSILON = 1e-5


class Torchvision(ImageListDetector):
    """A torchvision detector with weights by torchvision's name or from a file."""

    name = "torchvision"
    summary = "any torchvision detector, by its torchvision name"
    own_weights = "torchvision's"
    options: ClassVar[tuple[Option, ...]] = (
        Option("arch", str, "fasterrcnn_resnet50_fpn", "torchvision's name of the detector"),
        Option("min_size", int, None, "length of the shorter side after resizing; not set: torchvision's", minimum=1),
        Option("max_size", int, None, "upper bound of the longer side; not set: torchvision's", minimum=1),
        Option(
            "score_thresh",
            float,
            None,
            "detections below are dropped; not set: torchvision's (0.05 for R-CNN)",
            minimum=0,
            maximum=1,
            only="prediction",
        ),
        Option(
            "nms_thresh",
            float,
            None,
            "overlap from which two boxes of a class are one; not set: torchvision's (0.5 for R-CNN)",
            minimum=0,
            maximum=1,
            only="prediction",
        ),
        Option(
            "detections",
            int,
            None,
            "most detections in an image; not set: torchvision's (100 for R-CNN)",
            minimum=1,
            only="prediction",
        ),
        Option(
            "trainable_layers",
            int,
            None,
            "train only the last N stages of a ResNet; not set: all",
            minimum=0,
            maximum=5,
            only="training",
        ),
    )
    default_batch: ClassVar[dict[str, int]] = {"cpu": 1, "cuda": 8, "mps": 2}

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        """Weights by torchvision's name ("COCO_V1", "DEFAULT"; None is DEFAULT) or from a file.

        Named weights are downloaded to where torchvision keeps them, unless they are there. Their SHA-256 is checked
        against the first eight digits, which torchvision writes into their file's name.

        Raises:
            WeightsError: no such file or name, not to be downloaded, or altered.
            UsageError: no such architecture.
        """
        from harness.weights import from_file

        if asked is not None and Path(asked).expanduser().is_file():
            weights = from_file(self.name, asked)
            if weights.classes:
                return replace(weights, classes=Labels.of(weights.classes).classes)
            member = _member_of(self._arch(), weights.sha256)
            return replace(weights, classes=Labels.of(_outputs(member)).classes) if member else weights
        arch = self._arch()
        members = {**_members(arch), "DEFAULT": _default(arch)}
        member = members.get((asked or "DEFAULT").rpartition(".")[2])
        if member is None:
            raise WeightsError(
                f"weights {asked} for model {self.name}: there is no such file, and torchvision has no weights of that "
                f"name for {arch}. It has: {', '.join(members)}."
            )
        path, digest = _fetched(member)
        return Weights(member.name, path, digest, Labels.of(_outputs(member)).classes)

    def make(self, outputs: int) -> torch.nn.Module:
        arch = self._arch()
        two_stage = arch.startswith(_TWO_STAGE)
        names = {
            "min_size": "min_size",
            "max_size": "max_size",
            "score_thresh": "box_score_thresh" if two_stage else "score_thresh",
            "nms_thresh": "box_nms_thresh" if two_stage else "nms_thresh",
            "detections": "box_detections_per_img" if two_stage else "detections_per_img",
        }
        given = {names[key]: value for key, value in self.config.items() if key in names and value is not None}
        if arch.startswith("ssd") and given.keys() & {"min_size", "max_size"}:
            raise UsageError(f"{arch} resizes to a fixed size: it takes no min_size or max_size.")
        network = self.network_of(outputs, **given)
        self.trim(network)
        if self.option("trainable_layers") is not None:
            _freeze_stages(network, arch, self.option("trainable_layers"))
        return network

    def network_of(self, outputs: int, **given: Any) -> torch.nn.Module:
        """torchvision's network, untrained, with so many outputs and these settings of its constructor."""
        from torchvision.models import get_model

        network: torch.nn.Module = get_model(
            self._arch(), weights=None, weights_backbone=None, num_classes=outputs, progress=False, **given
        )
        return network

    def trim(self, network: torch.nn.Module) -> None:
        """Take off a new network what this model does not use: the heads of masks and key points."""
        _drop_other_heads(network)

    def kept(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of a state dict, what this model uses."""
        return _boxes_only(state)

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        from harness.weights import load_into, load_state, read_classes

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        state = self.kept(load_state(weights.path))
        member = _member_of(self._arch(), weights.sha256)
        names = _outputs(member) if member else read_classes(weights.path) or weights.classes
        labels = Labels.of(names or classes)
        network = self.make(labels.outputs)
        found = head_outputs(network, labels.outputs, state)
        usual = _outputs(_default(self._arch()))
        if not names and found != labels.outputs and found == len(usual):
            # A head of torchvision's own size without names: its own training scripts leave such files.
            labels = Labels.of(usual)
            network = self.make(labels.outputs)
        self.check_outputs(network, state, labels, weights)
        _match_norms(network, state, 0.0 if member and _without_epsilon(self._arch(), member) else _EPSILON)
        load_into(network, state, f"weights {weights.path}")
        self._place(self._use(network, labels), device, precision)

    def start_from(self, network: torch.nn.Module, initial: Weights, classes: tuple[str, ...]) -> None:
        from harness.weights import load_into

        state = self.kept(self.initial_state(network, initial, classes))
        _match_norms(network, state, _EPSILON)
        member = _member_of(self._arch(), initial.sha256)
        if member and _without_epsilon(self._arch(), member):
            _allow_for_epsilon(network, state)
        load_into(network, state, f"weights {initial.path}")

    def _arch(self) -> str:
        import torchvision

        arch = str(self.option("arch"))
        known = torchvision.models.list_models(module=torchvision.models.detection)
        if arch not in known:
            near = closest(arch, known)
            hint = f" Did you mean {near}?" if near else ""
            raise UsageError(f"torchvision has no detector {arch!r}.{hint} It has: {', '.join(known)}.")
        return arch


def _members(arch: str) -> dict[str, Any]:
    from torchvision.models import get_model_weights

    return {member.name: member for member in get_model_weights(arch)}


def _default(arch: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(arch)["DEFAULT"]


def _outputs(member: Any) -> tuple[str, ...]:
    """The names of the outputs, the background first."""
    return tuple(member.meta["categories"])


def _member_of(arch: str, sha256: str) -> Any:
    """torchvision's own weights that a file's digest belongs to, or None."""
    return next((m for m in _members(arch).values() if sha256.startswith(_digits(m))), None)


def _digits(member: Any) -> str:
    """The first digits of the SHA-256, from the file's name: "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"."""
    found = re.search(r"-([0-9a-f]{8,})\.", member.url.rpartition("/")[2])
    if found is None:
        raise WeightsError(f"torchvision's weights {member.url} carry no digest in their name.")
    return found.group(1)


def _without_epsilon(arch: str, member: Any) -> bool:
    return arch in _WITHOUT_EPSILON and member.name == "COCO_V1"


def _fetched(member: Any) -> tuple[Path, str]:
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


def _drop_other_heads(network: Any) -> None:
    """Take the mask and keypoint heads off: they cost time and do not touch the boxes."""
    heads = getattr(network, "roi_heads", None)
    for name in ("mask_roi_pool", "mask_head", "mask_predictor", "keypoint_roi_pool", "keypoint_head"):
        if heads is not None and getattr(heads, name, None) is not None:
            setattr(heads, name, None)
    if heads is not None and getattr(heads, "keypoint_predictor", None) is not None:
        heads.keypoint_predictor = None


def _freeze_stages(network: Any, arch: str, trained: int) -> None:
    """torchvision's `trainable_backbone_layers` for ResNets."""
    if "resnet" not in arch:
        raise UsageError(f"option trainable_layers: {arch} is no ResNet.")
    learning = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trained] + (["bn1"] if trained == 5 else [])
    for name, parameter in network.backbone.body.named_parameters():
        if not name.startswith(tuple(learning)):
            parameter.requires_grad_(False)


def _boxes_only(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the mask and keypoint heads."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(_OTHER_HEADS)}


def _allow_for_epsilon(network: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Scale weights of frozen batch norms that had no epsilon, so that with one they compute the same.

    What is trained from them is saved, and loaded with the usual epsilon like every other file.
    """
    from torchvision.ops import FrozenBatchNorm2d

    for name, module in network.named_modules():
        if isinstance(module, FrozenBatchNorm2d):
            variance = state[f"{name}.running_var"]
            state[f"{name}.weight"] = state[f"{name}.weight"] * ((variance + module.eps) / variance).sqrt()


def _match_norms(network: torch.nn.Module, state: dict[str, torch.Tensor], epsilon: float) -> None:
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


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [Torchvision]
