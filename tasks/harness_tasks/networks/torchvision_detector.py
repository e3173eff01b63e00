"""The base class of models that use a torchvision detector, for any task.

torchvision's own preprocessing is used: the network resizes bilinearly and normalises, on the device.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import UsageError, WeightsError
from harness.model import Precision, Weights
from harness.options import Option
from harness_tasks.networks.image_list import ImageListModel, Labels, head_outputs
from harness_tasks.networks.torchvision_weights import (
    allow_for_epsilon,
    default_member,
    match_norms,
    member_of,
    output_names,
    resolved,
    without_epsilon,
)

if TYPE_CHECKING:
    import torch

__all__ = ["TorchvisionDetector"]

_TWO_STAGE = ("fasterrcnn", "maskrcnn", "keypointrcnn")


class TorchvisionDetector(ImageListModel):
    """A torchvision detector, with torchvision's own weights or with weights from a file. A subclass chooses the
    detector."""

    own_weights = "torchvision's"
    options: ClassVar[tuple[Option, ...]] = (
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

    @abstractmethod
    def arch(self) -> str:
        """Return torchvision's name of the detector.

        Raises:
            UsageError: torchvision has no detector of the requested name.
        """

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        """Find weights by torchvision's name or in a file (`torchvision_weights.resolved`).

        Raises:
            WeightsError: there is no such file or name, the download failed, or the file was altered.
            UsageError: there is no such architecture.
        """
        weights = resolved(self.name, self.arch(), asked)
        return replace(weights, classes=Labels.of(weights.classes).classes) if weights.classes else weights

    def make(self, outputs: int) -> torch.nn.Module:
        arch = self.arch()
        two_stage = arch.startswith(_TWO_STAGE)
        names = {
            "min_size": "min_size",
            "max_size": "max_size",
            "score_thresh": "box_score_thresh" if two_stage else "score_thresh",
            "nms_thresh": "box_nms_thresh" if two_stage else "nms_thresh",
            "detections": "box_detections_per_img" if two_stage else "detections_per_img",
        }
        settings = {names[key]: value for key, value in self.config.items() if key in names and value is not None}
        if arch.startswith("ssd") and settings.keys() & {"min_size", "max_size"}:
            raise UsageError(f"{arch} resizes to a fixed size: it takes no min_size or max_size.")
        network = self.network_of(outputs, **settings)
        self.trim(network)
        if self.option("trainable_layers") is not None:
            _freeze_stages(network, arch, self.option("trainable_layers"))
        return network

    def network_of(self, outputs: int, **given: Any) -> torch.nn.Module:
        """Return torchvision's untrained network with `outputs` outputs and these constructor arguments."""
        from torchvision.models import get_model

        network: torch.nn.Module = get_model(
            self.arch(), weights=None, weights_backbone=None, num_classes=outputs, progress=False, **given
        )
        return network

    def trim(self, network: torch.nn.Module) -> None:
        """Remove the parts of a new network that this model does not use. The default removes nothing."""

    def kept(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the entries of a state dict that this model uses. The default returns all."""
        return dict(state)

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        from harness.weights import load_into, load_state, read_classes

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        state = self.kept(load_state(weights))
        member = member_of(self.arch(), weights.sha256)
        names = output_names(member) if member else read_classes(weights.path) or weights.classes
        labels = Labels.of(names or classes)
        network = self.make(labels.outputs)
        head_size = head_outputs(network, labels.outputs, state)
        standard_names = output_names(default_member(self.arch()))
        if not names and head_size != labels.outputs and head_size == len(standard_names):
            # The head has the size of torchvision's own weights, and the file has no class names. torchvision's
            # training scripts write such files.
            labels = Labels.of(standard_names)
            network = self.make(labels.outputs)
        self.check_outputs(network, state, labels, weights)
        match_norms(network, state, 0.0 if member and without_epsilon(self.arch(), member) else None)
        load_into(network, state, f"weights {weights.path}")
        self._place(self._use(network, labels), device, precision)

    def start_from(self, network: torch.nn.Module, initial: Weights, classes: tuple[str, ...]) -> None:
        from harness.weights import load_into

        state = self.kept(self.initial_state(network, initial, classes))
        match_norms(network, state)
        member = member_of(self.arch(), initial.sha256)
        if member and without_epsilon(self.arch(), member):
            allow_for_epsilon(network, state)
        load_into(network, state, f"weights {initial.path}")


def _freeze_stages(network: Any, arch: str, trained: int) -> None:
    """Freeze all but the last `trained` stages of a ResNet, as torchvision's `trainable_backbone_layers` does.

    Raises:
        UsageError: the backbone is not a ResNet.
    """
    if "resnet" not in arch:
        raise UsageError(f"option trainable_layers: {arch} is no ResNet.")
    trained_layers = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trained] + (["bn1"] if trained == 5 else [])
    for name, parameter in network.backbone.body.named_parameters():
        if not name.startswith(tuple(trained_layers)):
            parameter.requires_grad_(False)
