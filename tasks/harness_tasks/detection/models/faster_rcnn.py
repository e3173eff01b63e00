"""The model Faster R-CNN with a feature pyramid, on one of torchvision's ResNets or MobileNets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness import hookimpl
from harness.errors import UsageError, WeightsError
from harness.model import Model, Weights
from harness.options import Option, Value
from harness_tasks.detection.models.common import ImageListDetector

if TYPE_CHECKING:
    import torch

__all__ = ["FasterRCNN"]

_RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2"),
)
_MOBILENETS = ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")


class FasterRCNN(ImageListDetector):
    """Faster R-CNN (Ren et al., NeurIPS 2015) with a feature pyramid (Lin et al., CVPR 2017), as torchvision builds it.

    A ResNet has four pyramid levels and a fifth by pooling, each with anchors of one size. A MobileNet has its last two
    levels and a third by pooling, each with anchors of all five sizes. These are torchvision's own choices: with
    `backbone=resnet50,norm=frozen` the network is torchvision's `fasterrcnn_resnet50_fpn`, and with
    `mobilenet_v3_large` it is `fasterrcnn_mobilenet_v3_large_fpn`.

    Images are scaled to 0-1 and resized bilinearly: the shorter side becomes `min_size`, unless the longer side would
    then exceed `max_size`. They are normalised with ImageNet's mean and standard deviation. All this is done on the
    device.
    """

    name = "faster-rcnn"
    summary = "Faster R-CNN on a ResNet or a MobileNet, by option"
    options = (
        Option("backbone", str, "resnet50", "what makes the features", choices=(*_RESNETS, *_MOBILENETS)),
        Option(
            "norm",
            str,
            "batch",
            "the backbone's batch norms: living, or frozen (for weights of ImageNet and small batches)",
            choices=("batch", "frozen"),
        ),
        Option(
            "backbone_weights",
            str,
            None,
            "a file of torchvision's weights of this backbone (ImageNet) that it starts from",
            only="training",
        ),
        Option(
            "trainable_layers",
            int,
            None,
            "train only the last N stages of the backbone; not set: all",
            minimum=0,
            only="training",
        ),
        Option("min_size", int, 800, "length of the shorter side after resizing", minimum=1),
        Option("max_size", int, 1333, "upper bound of the longer side", minimum=1),
        Option("anchor", int, 32, "side of the smallest anchors in pixels; four more double it", minimum=1),
        Option("score_thresh", float, 0.05, "detections below are dropped", minimum=0, maximum=1, only="prediction"),
        Option(
            "nms_thresh",
            float,
            0.5,
            "overlap from which two boxes of a class are one",
            minimum=0,
            maximum=1,
            only="prediction",
        ),
        Option("detections", int, 100, "most detections in an image", minimum=1, only="prediction"),
    )

    def make(self, outputs: int) -> torch.nn.Module:
        from torchvision.models.detection import FasterRCNN as Network
        from torchvision.models.detection.anchor_utils import AnchorGenerator

        backbone = self._backbone()
        sizes = tuple(self.option("anchor") << power for power in range(5))
        resnet = self.option("backbone") in _RESNETS
        levels = tuple((size,) for size in sizes) if resnet else (sizes,) * 3
        network: torch.nn.Module = Network(
            backbone,
            outputs,
            min_size=self.option("min_size"),
            max_size=self.option("max_size"),
            rpn_anchor_generator=AnchorGenerator(levels, ((0.5, 1.0, 2.0),) * len(levels)),
            box_score_thresh=self.option("score_thresh"),
            box_nms_thresh=self.option("nms_thresh"),
            box_detections_per_img=self.option("detections"),
        )
        return network

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        network = super().build(classes, initial)
        if self.option("backbone_weights") and initial is None:
            self._fill_backbone(network, self.option("backbone_weights"))
        return network

    def identity_config(self) -> Mapping[str, Value]:
        """Return the options. The path of the backbone's weights is replaced by the file's digest."""
        from harness.weights import from_file

        path = self.option("backbone_weights")
        return {**self.config, "backbone_weights": from_file(self.name, path).digest if path else None}

    def _backbone(self) -> Any:
        """Return a new backbone with its feature pyramid.

        Raises:
            UsageError: the backbone has fewer stages than the option `trainable_layers`.
        """
        from torch.nn import BatchNorm2d
        from torchvision.models.detection.backbone_utils import mobilenet_backbone, resnet_fpn_backbone
        from torchvision.ops import FrozenBatchNorm2d

        name, trained = self.option("backbone"), self.option("trainable_layers")
        arguments: dict[str, Any] = {
            "backbone_name": name,
            "weights": None,
            "norm_layer": FrozenBatchNorm2d if self.option("norm") == "frozen" else BatchNorm2d,
            "trainable_layers": 1 if trained is None else trained,
        }
        try:
            backbone = (
                resnet_fpn_backbone(**arguments) if name in _RESNETS else mobilenet_backbone(**arguments, fpn=True)
            )
        except ValueError as error:
            raise UsageError(f"option trainable_layers={trained}: {name} has fewer stages ({error}).") from error
        if trained is None:
            backbone.requires_grad_(True)
        return backbone

    def _fill_backbone(self, network: torch.nn.Module, asked: str) -> None:
        """Copy the weights of torchvision's classifier, without its head, into the backbone.

        Raises:
            WeightsError: the file cannot be read, or belongs to another network.
        """
        from harness.weights import from_file, load_state

        name, stored = self.option("backbone"), load_state(from_file(self.name, asked))
        state = {key.removeprefix("features."): tensor for key, tensor in stored.items()}
        body: torch.nn.Module = network.get_submodule("backbone.body")
        tensors = body.state_dict()
        wrong = [key for key, tensor in tensors.items() if key not in state or state[key].shape != tensor.shape]
        wrong = [key for key in wrong if not key.endswith("num_batches_tracked")]
        if wrong:
            raise WeightsError(
                f"backbone weights {asked}: {len(wrong)} of the tensors of torchvision's {name} are missing or have "
                f"another shape ({wrong[0]}, ...). Expected is the file of torchvision.models.{name}."
            )
        body.load_state_dict({**tensors, **{key: state[key] for key in tensors if key in state}})


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [FasterRCNN]
