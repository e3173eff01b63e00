"""The model Keypoint R-CNN of torchvision (He et al., "Mask R-CNN", ICCV 2017, section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.model import Model, Precision, Weights
from harness.options import Option
from harness_tasks.images import channels_first
from harness_tasks.networks.torchvision_detector import TorchvisionDetector
from harness_tasks.pose.types import KEYPOINTS

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.codec import Frames
    from harness_tasks.pose.types import Persons, Poses

__all__ = ["TorchvisionKeypoints"]

_PERSON = ("person",)
_CHANNELS, _LAYERS = 512, 8
_BACKBONES = ("resnet50", "resnet18", "resnet34", "resnet101")


class TorchvisionKeypoints(TorchvisionDetector):
    """torchvision's keypointrcnn_resnet50_fpn, with torchvision's own weights or with weights from a file.

    Everything before and after the network is torchvision's own, except the confidences of key points: these are the
    logistic function of the heat map's maximum (a logit). Every person has all 17 key points, also uncertain ones.
    torchvision's weights fit only the default backbone and head. The other backbones and heads are for training,
    because the default head of eight layers of 512 channels costs 3.7 GMAC per person.

    A training example also has `keypoints` float32[N, 17, 3]. Crowds are left out of training. Persons without labelled
    key points are used only for the boxes.
    """

    name = "torchvision-keypoints"
    summary = "torchvision's Keypoint R-CNN"
    task: ClassVar[str] = "pose"
    options: ClassVar[tuple[Option, ...]] = (
        Option("backbone", str, _BACKBONES[0], "the ResNet under the feature pyramid", choices=_BACKBONES),
        Option("head_channels", int, _CHANNELS, "channels of the key points' head", minimum=1),
        Option("head_layers", int, _LAYERS, "convolutions of the key points' head", minimum=1),
        Option(
            "samples",
            int,
            None,
            "proposals that an image teaches; not set: torchvision's (512)",
            minimum=1,
            only="training",
        ),
        *TorchvisionDetector.options,
    )

    def arch(self) -> str:
        return "keypointrcnn_resnet50_fpn"

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        return replace(super().resolve_weights(asked, _PERSON), classes=())

    def network_of(self, outputs: int, **given: Any) -> torch.nn.Module:
        import torch

        backbone, channels, layers = (self.option(name) for name in ("backbone", "head_channels", "head_layers"))
        if self.option("samples") is not None:
            given["box_batch_size_per_image"] = self.option("samples")
        if (backbone, channels, layers) == (_BACKBONES[0], _CHANNELS, _LAYERS):
            return super().network_of(outputs, **given)
        from torchvision.models.detection import KeypointRCNN
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
        from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor

        # As keypointrcnn_resnet50_fpn without weights: all stages are trainable, and batch norms are not frozen.
        body = resnet_fpn_backbone(
            backbone_name=backbone, weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5
        )
        head = KeypointRCNNHeads(body.out_channels, (channels,) * layers)
        predictor = KeypointRCNNPredictor(channels, len(KEYPOINTS))
        network: torch.nn.Module = KeypointRCNN(
            body, outputs, keypoint_head=head, keypoint_predictor=predictor, **given
        )
        return network

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        network = super().build(_PERSON, initial)
        # torchvision's loss reshapes the maps with `view`, which fails for channels-last maps. A recipe may use
        # channels last.
        heads: Any = network.roi_heads
        heads.keypoint_predictor.register_forward_hook(lambda module, given, maps: maps.contiguous())
        self.classes = ()
        return network

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        super().load(weights, _PERSON, device, precision)
        self.classes = ()

    def needed(self, output: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        import torch

        keypoints, logits, scores = (output[name] for name in ("keypoints", "keypoints_scores", "scores"))
        if self._labels.outputs > 2:  # other classes than persons; a selection waits for the device
            persons = output["labels"] == 1
            keypoints, logits, scores = keypoints[persons], logits[persons], scores[persons]
        confidences = torch.sigmoid(logits.float())
        placed = torch.cat([keypoints[:, :, :2].float(), confidences[:, :, None]], dim=2).reshape(-1, 17, 3)
        return {"keypoints": placed, "scores": scores.float()}

    def found(self, output: Mapping[str, torch.Tensor]) -> Poses:
        from harness_tasks.pose.types import Poses

        return Poses(output["keypoints"].numpy(), output["scores"].numpy())

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, Any], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return one scored frame with its persons, mirrored with probability 0.5. The targets are `Persons`."""
        import numpy as np
        import torch

        from harness_tasks.pose.skeleton import MIRRORED

        number = sorted(targets)[int(rng.integers(len(targets)))]
        image = frames[number]
        persons: Persons = targets[number]
        height, width = image.shape[:2]
        boxes = np.clip(persons.boxes, 0, [width, height, width, height])
        usable = ~persons.crowd & ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
        boxes, keypoints = boxes[usable], persons.keypoints[usable]
        if rng.random() < 0.5:
            image, keypoints = image[:, ::-1], keypoints[:, list(MIRRORED)]
            boxes = boxes.copy()
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
            keypoints[:, :, 0] = (width - 1 - keypoints[:, :, 0]) * (keypoints[:, :, 2] > 0)
        return {
            "image": channels_first(image),
            "boxes": torch.from_numpy(boxes.astype(np.float32)),
            "labels": torch.ones(len(boxes), dtype=torch.int64),
            "keypoints": torch.from_numpy(keypoints.astype(np.float32)),
        }


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [TorchvisionKeypoints]
