"""The model `detectron2`: any detector of detectron2 with a config of its model zoo or of the user, and its weights.

The preprocessing is that of detectron2's own evaluation (`DatasetMapper` with `build_augmentation(cfg,
is_train=False)`): the channel order of INPUT.FORMAT, and Pillow's bilinear resizing on uint8. The shorter side becomes
INPUT.MIN_SIZE_TEST, unless the longer side would exceed INPUT.MAX_SIZE_TEST. The network normalises. There is one
difference: detectron2 rotates an image by its EXIF orientation, the harness keeps pixels as they are stored.

detectron2 is not a dependency of the harness; the user installs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.errors import WeightsError
from harness.model import PRECISIONS, Memo, Model, Precision, Weights, autocast
from harness.options import Option, Value
from harness_tasks.detection.models.detectron2_config import INSTALLATION, is_file, quiet, read_config, zoo_weights
from harness_tasks.detection.models.detectron2_weights import (
    check_classes,
    own_tensors,
    tested_classes,
    trained_classes,
)
from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.images import channels_first
from harness_tasks.library import library_version
from harness_tasks.networks.image_list import check_head
from harness_tasks.networks.to_cpu import on_cpu

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.codec import Frames
    from harness.dataset import Outline

__all__ = ["Detectron2"]


class Detectron2(Model):
    """A detectron2 detector.

    A prepared sample is a dict of `image` (uint8[S, 3, h, w], resized, in the config's channel order) and `size`
    (int64[2], H and W of the source frame). A batch stacks both.
    """

    name = "detectron2"
    summary = "any detectron2 detector with a YAML config, e.g. of its model zoo"
    own_weights = "detectron2's zoo"
    task: ClassVar[str] = "detection"
    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS
    options = (
        Option(
            "config",
            str,
            "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
            "a name in detectron2's model zoo, or a path of a YAML file",
        ),
        Option(
            "score_thresh",
            float,
            None,
            "detections below are dropped; not set: the config's",
            minimum=0,
            maximum=1,
            only="prediction",
        ),
    )

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._cfg: Any = None
        self._precision: Precision = "fp32"

    def available(self) -> str | None:
        if find_spec("detectron2") is None:
            return (
                "detectron2 is not installed (No module named 'detectron2'). It is built from source for the torch "
                f"that is installed; its own instructions: {INSTALLATION}"
            )
        return None

    def fingerprint(self) -> Mapping[str, Value]:
        """Return what identifies the libraries, and a digest of the config including all configs that it is based on.

        torchvision is included because detectron2 uses its operators for non-maximum suppression.
        """
        libraries = {name: library_version(name) for name in ("detectron2", "torch", "torchvision")}
        return {**libraries, "pillow": library_version("pillow", "PIL"), "config": self._digest()}

    def identity_config(self) -> Mapping[str, Value]:
        """Return the options. A user's own config is represented by its digest, independent of the file's location."""
        own = is_file(self.option("config"))
        return {**self.config, "config": f"sha256:{self._digest()}"} if own else dict(self.config)

    def resolve_weights(self, asked: str | None, dataset_classes: tuple[str, ...]) -> Weights:
        """Find weights in a file (.pth, .pkl of the model zoo, .safetensors); None downloads those of the model zoo.

        Raises:
            WeightsError: there is no such file, or the download failed.
            PluginError: detectron2 cannot be imported.
            UsageError: there is no such config, or it would execute code.
        """
        from harness.weights import from_file

        cfg = self._config()
        weights = from_file(self.name, asked if asked is not None else zoo_weights(self.option("config")))
        return weights if weights.classes else replace(weights, classes=tested_classes(cfg))

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        height, width = self._resized_shape(outline.height, outline.width)
        return (len(outline.scored), 3, height, width, outline.height, outline.width)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> dict[str, torch.Tensor]:
        import torch
        from detectron2.data.detection_utils import build_augmentation
        from detectron2.data.transforms import AugInput, AugmentationList

        augmentation = AugmentationList(build_augmentation(self._config(), is_train=False))
        images = []
        for number in scored:
            augmented = AugInput(self._in_channel_order(frames[number]))
            augmentation(augmented)
            images.append(channels_first(augmented.image))
        return {"image": torch.stack(images), "size": torch.tensor(frames.shape[1:3])}

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        from harness.weights import load_into, load_state

        cfg = self._config().clone()
        cfg.MODEL.ROI_HEADS.NUM_CLASSES = cfg.MODEL.RETINANET.NUM_CLASSES = len(classes)
        network = _new_network(cfg, "cpu")
        if initial is not None:
            if initial.path is None:
                raise WeightsError(f"model {self.name}: weights {initial.name} are no file.")
            state = load_state(initial)
            check_head(initial, trained_classes(cfg, state), classes)
            load_into(network, own_tensors(network, state), f"weights {initial.path}")
        self._network, self.classes = network, classes
        return network

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        from harness.weights import load_into, load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        cfg = self._config().clone()
        state = load_state(weights)
        names = weights.classes or classes
        check_classes(cfg, state, names, weights, stated=bool(weights.classes))
        if weights.classes:
            cfg.MODEL.ROI_HEADS.NUM_CLASSES = cfg.MODEL.RETINANET.NUM_CLASSES = len(names)
        network = _new_network(cfg, device)
        load_into(network, own_tensors(network, state), f"weights {weights.path}")
        self._network, self.classes, self._precision = network.eval(), names, precision

    def predict(self, batch: Mapping[str, torch.Tensor]) -> list[list[Detections]]:
        import torch

        images, sizes = batch["image"], batch["size"].tolist()
        count, scored = images.shape[:2]
        inputs = [
            {"image": images[i, j], "height": sizes[i][0], "width": sizes[i][1]}
            for i in range(count)
            for j in range(scored)
        ]
        device = next(self.network.parameters()).device.type
        with quiet(), torch.no_grad(), autocast(device, self._precision):
            outputs = [_results(output["instances"]) for output in self.network(inputs)]
        detections = [_detections(output) for output in on_cpu(outputs)]
        return [detections[i * scored : (i + 1) * scored] for i in range(count)]

    def prepare_train(self, frames: Frames, targets: Mapping[int, Boxes], rng: np.random.Generator) -> dict[str, Any]:
        """Return one scored frame, resized to one of INPUT.MIN_SIZE_TRAIN and mirrored with probability 0.5.

        Crowds, difficult objects and empty boxes are left out. The example is a dict of `image` (uint8[3, h, w]),
        `boxes` (float32[N, 4]) and `labels` (int64[N]).
        """
        import numpy as np
        import torch
        from detectron2.data.transforms import HFlipTransform, ResizeShortestEdge

        cfg = self._config().INPUT
        number = sorted(targets)[int(rng.integers(len(targets)))]
        image, target = self._in_channel_order(frames[number]), targets[number]
        sides = list(cfg.MIN_SIZE_TRAIN)
        choose = cfg.MIN_SIZE_TRAIN_SAMPLING == "choice"
        side = int(rng.choice(sides)) if choose else int(rng.integers(sides[0], sides[-1] + 1))
        resize = ResizeShortestEdge([side, side], cfg.MAX_SIZE_TRAIN).get_transform(image)
        image, boxes = resize.apply_image(image), resize.apply_box(target.boxes.copy())
        if rng.random() < 0.5:
            flip = HFlipTransform(image.shape[1])
            image, boxes = flip.apply_image(image), flip.apply_box(boxes)
        boxes = np.clip(boxes, 0, [image.shape[1], image.shape[0]] * 2)
        usable = ~target.crowd & ~target.difficult & ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
        return {
            "image": channels_first(image),
            "boxes": torch.from_numpy(boxes[usable].astype(np.float32)),
            "labels": torch.from_numpy(target.labels[usable]),
        }

    def collate_train(self, examples: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return list(examples)

    def losses(self, batch: Sequence[Mapping[str, Any]], part: str) -> Mapping[str, torch.Tensor]:
        from detectron2.structures import Boxes as Corners
        from detectron2.structures import Instances
        from detectron2.utils.events import EventStorage

        inputs = []
        for example in batch:
            target = Instances(example["image"].shape[-2:])
            target.gt_boxes, target.gt_classes = Corners(example["boxes"]), example["labels"]
            inputs.append({"image": example["image"], "instances": target})
        with quiet(), EventStorage():  # detectron2's heads log into an EventStorage
            losses: Mapping[str, torch.Tensor] = self.network(inputs)
        return losses

    def _config(self) -> Any:
        """Return the config, read on first use."""
        if self._cfg is None:
            self._cfg = read_config(self.option("config"), self.option("score_thresh"))
        return self._cfg

    def _digest(self) -> str:
        """Return the SHA-256 of the config's content."""
        import hashlib

        return hashlib.sha256(self._config().dump().encode()).hexdigest()

    def _in_channel_order(self, image: Frames) -> Frames:
        """Return the image in the config's channel order."""
        return image[:, :, ::-1] if self._config().INPUT.FORMAT == "BGR" else image

    def _resized_shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of a frame after resizing."""
        from detectron2.data.transforms import ResizeShortestEdge

        cfg = self._config().INPUT
        if cfg.MIN_SIZE_TEST == 0:
            return height, width
        shape: tuple[int, int] = ResizeShortestEdge.get_output_shape(
            height, width, cfg.MIN_SIZE_TEST, cfg.MAX_SIZE_TEST
        )
        return shape

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without config and network: worker processes read the config themselves, and need no network."""
        return {**self.__dict__, "_cfg": None, "_network": None}


def _new_network(cfg: Any, device: str) -> torch.nn.Module:
    from detectron2.modeling import build_model

    cfg.MODEL.DEVICE = device
    network: torch.nn.Module = build_model(cfg)
    return network


def _results(instances: Any) -> dict[str, torch.Tensor]:
    """Return what is needed of the network's output for one frame, on the device."""
    boxes, scores = instances.pred_boxes.tensor.float(), instances.scores.float()
    return {"boxes": boxes, "scores": scores, "labels": instances.pred_classes}


def _detections(output: Mapping[str, torch.Tensor]) -> Detections:
    return Detections(*(output[name].numpy() for name in ("boxes", "scores", "labels")))


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [Detectron2]
