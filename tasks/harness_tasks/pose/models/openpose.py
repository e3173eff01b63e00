"""The model OpenPose: a network predicts confidence maps and part affinity fields, which are assembled into persons.

Cao, Simon, Wei, Sheikh, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.errors import WeightsError
from harness.model import PRECISIONS, Memo, Model, Precision, Weights, autocast
from harness.options import Option, Value
from harness_tasks.images import channels_first, frames_tensor
from harness_tasks.library import library_version
from harness_tasks.networks.pixels import float_images

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.dataset import Outline
    from harness_tasks.pose.models.assembly import Parsing
    from harness_tasks.pose.models.openpose_network import Front
    from harness_tasks.pose.models.views import View
    from harness_tasks.pose.types import Persons, Poses

__all__ = ["THRESHOLDS", "OpenPose"]

THRESHOLDS = (
    Option(
        "part_threshold",
        float,
        0.1,
        "the least confidence of a body part; compression lowers confidences, so what it loses depends on it",
        minimum=0.0,
        maximum=1.0,
        only="prediction",
    ),
    Option(
        "paf_threshold",
        float,
        0.05,
        "the least affinity of the samples along a limb",
        minimum=0.0,
        maximum=1.0,
        only="prediction",
    ),
)


class OpenPose(Model):
    """OpenPose, the study's model of human pose.

    Input: frames are scaled to `height` (368 in the published code; one scale, no mirrored pass) and padded with grey
    to multiples of 16. The front `vgg19` takes BGR / 256 - 0.5; the front `small` takes RGB of zero mean.

    Output: COCO's 17 key points are 17 of the last stage's 18 parts; the neck is dropped. A person's score is the sum
    of the confidences of its parts and the affinities of its limbs, divided by the largest possible sum (35).

    Weights: files that `harness train` writes, or the published body model in the layout that is widely used with
    PyTorch (`body_pose_model.pth`: conv1_1.weight ... Mconv7_stage6_L2.bias, with or without the modules' prefixes
    model0., model1_1., ...). Training can also start from torchvision's VGG19 weights for ImageNet.

    Training follows the published code: an example is a square around a person, scaled, rotated, shifted and mirrored.
    The losses are the squared errors of the fields and of the maps, summed over the stages. Boxes of crowds and of
    persons without key points are masked out of the losses (the published code uses masks for them).

    A prepared sample is a dict of `images` uint8[S, h, w, 3] and `size` int64[2], the frame's height and width.
    """

    name = "openpose"
    summary = "OpenPose: part confidence maps and affinity fields, assembled greedily"
    task: ClassVar[str] = "pose"
    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS
    options: ClassVar[tuple[Option, ...]] = (
        *THRESHOLDS,
        Option("height", int, 368, "the height in pixels that frames are scaled to", minimum=32),
        Option("stages", int, 6, "stages of the network", minimum=1, maximum=6),
        Option("front", str, "vgg19", "the layers before the stages", choices=("vgg19", "small")),
    )
    SPREAD: ClassVar[Mapping[str, float]] = {"vgg19": 0.875, "small": 1.25}
    """Standard deviation of a part's Gaussian in map cells, by front (7 pixels in the published code)."""
    WIDTH: ClassVar[Mapping[str, float]] = {"vgg19": 1.0, "small": 1.25}
    """Half the width of a limb's affinity field in map cells, by front."""
    FOREGROUND: ClassVar[float] = 0.0
    """Additional weight of the error where the target is not empty."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._device = "cpu"
        self._precision: Precision = "fp32"

    @property
    def height(self) -> int:
        """The height in pixels that frames are scaled to."""
        return int(self.option("height"))

    @property
    def front(self) -> Front:
        """The name of the network's front."""
        front: Front = self.option("front")
        return front

    @property
    def stages(self) -> int:
        """The number of stages of the network."""
        return int(self.option("stages"))

    def fingerprint(self) -> Mapping[str, Value]:
        from harness_tasks.opencv import opencv_version

        return {**{name: library_version(name) for name in ("torch", "numpy")}, "opencv": opencv_version()}

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        return (len(outline.scored), outline.height, outline.width, 3)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> dict[str, torch.Tensor]:
        import numpy as np
        import torch

        from harness_tasks.pose.models.views import fitted

        inputs = [fitted(frames[number], self.height)[None] for number in scored]
        images = np.concatenate(inputs) if len(inputs) > 1 else inputs[0]
        return {"images": frames_tensor(images, range(len(images))), "size": torch.tensor(frames.shape[1:3])}

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        from harness_tasks.pose.models.openpose_network import new_network

        network = new_network(self.front, self.stages)
        if initial is not None:
            self._fill(network, initial, training=True)
        self._network = network
        return network

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        from harness_tasks.pose.models.openpose_network import new_network

        network = new_network(self.front, self.stages)
        self._fill(network, weights, training=False)
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)
        self._device, self._precision = device, precision

    def _fill(self, network: torch.nn.Module, weights: Weights, training: bool) -> None:
        from harness.weights import load_into, load_state
        from harness_tasks.pose.models.openpose_layout import imagenet_front, is_imagenet, is_published, of_published

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        state, source = load_state(weights), f"weights {weights.path}"
        if self.front == "vgg19" and is_published(state):
            state = of_published(state, self.stages, source)
        elif self.front == "vgg19" and training and is_imagenet(state):
            state = {**network.state_dict(), **imagenet_front(state, source)}
        load_into(network, state, source)

    def predict(self, batch: Mapping[str, torch.Tensor]) -> list[list[Poses]]:
        import torch

        count, scored = batch["images"].shape[:2]
        images = float_images(batch["images"], self._device)
        with torch.no_grad(), autocast(self._device, self._precision):
            affinity, confidence = (maps.float().cpu().numpy() for maps in self.network(images)[-1])
        sizes = [tuple(size) for size in batch["size"].tolist() for _ in range(scored)]
        poses = [self._poses(*maps) for maps in zip(confidence, affinity, sizes, strict=True)]
        return [poses[i * scored : (i + 1) * scored] for i in range(count)]

    def parsing(self) -> Parsing:
        """Return the thresholds for assembling persons."""
        from harness_tasks.pose.models.assembly import Parsing

        return Parsing(part=self.option("part_threshold"), affinity=self.option("paf_threshold"))

    def _poses(self, confidence: NDArray[np.float32], affinity: NDArray[np.float32], size: tuple[int, int]) -> Poses:
        """Assemble the persons of a frame whose height and width are `size`."""
        import numpy as np

        from harness_tasks.pose.models.assembly import assemble
        from harness_tasks.pose.models.openpose_network import STRIDES
        from harness_tasks.pose.models.targets import pixels
        from harness_tasks.pose.models.views import fitted_size
        from harness_tasks.pose.skeleton import COCO_PARTS, PARTS, TREE
        from harness_tasks.pose.types import Poses

        stride = STRIDES[self.front]
        height, width = fitted_size(*size, self.height)
        valid = np.s_[:, : -(-height // stride), : -(-width // stride)]
        parts, totals = assemble(confidence[valid], affinity[valid], self.parsing())
        keypoints = parts[:, list(COCO_PARTS)]
        scale = np.array([size[1] / width, size[0] / height])
        present = keypoints[..., 2:] > 0
        keypoints[..., :2] = ((pixels(keypoints[..., :2], stride) + 0.5) * scale - 0.5) * present
        keypoints[..., 2] = keypoints[..., 2].clip(0.0, 1.0)
        scores = np.clip(totals / (len(PARTS) + TREE), 0.0, 1.0)
        return Poses(keypoints.astype(np.float32), scores.astype(np.float32))

    def view(self, image: NDArray[np.uint8], persons: Persons, rng: np.random.Generator) -> View:
        """Return the part of a frame that one training example shows."""
        from harness_tasks.pose.models.views import MULTIPLE, person_view

        return person_view(image, persons, -(-self.height // MULTIPLE) * MULTIPLE, rng)

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, Persons], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return a view of one scored frame with its target maps.

        Returns:
            image: uint8[3, h, w].
            affinity: float32[38, h / s, w / s], at stride s.
            confidence: float32[19, h / s, w / s].
            mask: float32[1, h / s, w / s], 0 where the losses are ignored.
        """
        import torch

        from harness_tasks.pose.models.openpose_network import STRIDES
        from harness_tasks.pose.models.targets import affinity_fields, confidence_maps, learnt_mask
        from harness_tasks.pose.skeleton import parts_of

        number = sorted(targets)[int(rng.integers(len(targets)))]
        view = self.view(frames[number], targets[number], rng)
        front, stride = self.front, STRIDES[self.front]
        size = (view.image.shape[0] // stride, view.image.shape[1] // stride)
        parts = parts_of(view.keypoints)
        return {
            "image": channels_first(view.image),
            "affinity": torch.from_numpy(affinity_fields(parts, size, stride, self.WIDTH[front])),
            "confidence": torch.from_numpy(confidence_maps(parts, size, stride, self.SPREAD[front])),
            "mask": torch.from_numpy(learnt_mask(view.unlabelled, size, stride))[None],
        }

    def losses(self, batch: Mapping[str, torch.Tensor], part: str) -> Mapping[str, torch.Tensor]:
        """Return the squared errors of the fields and of the maps, summed over channels and stages, averaged over
        cells."""
        import torch

        device = next(self.network.parameters()).device
        images = batch["image"].to(device, torch.float32).contiguous(memory_format=torch.channels_last)
        stages: Sequence[tuple[torch.Tensor, torch.Tensor]] = self.network(images)
        mask = batch["mask"].to(device)
        losses = {}
        for position, name in enumerate(("affinity", "confidence")):
            target = batch[name].to(device)
            strength = target.abs()
            if name == "confidence":
                strength = torch.cat([strength[:, :-1], 1 - strength[:, -1:]], 1)
            weight = mask * (1 + self.FOREGROUND * strength)
            errors = [(weight * (maps[position].float() - target) ** 2).sum(dim=1).mean() for maps in stages]
            losses[name] = torch.stack(errors).sum()
        return losses


@hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [OpenPose]
