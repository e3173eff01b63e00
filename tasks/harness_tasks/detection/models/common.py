"""The base class of detectors with torchvision's calling convention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from harness_tasks.detection.types import Boxes, Detections
from harness_tasks.images import channels_first
from harness_tasks.networks.image_list import ImageListModel

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.codec import Frames

__all__ = ["ImageListDetector"]


class ImageListDetector(ImageListModel):
    """A detector with torchvision's calling convention. A subclass builds the network.

    A training example is a dict of `image` (uint8[3, H, W]), `boxes` (float32[N, 4]) and `labels` (int64[N]; the first
    class is 1).
    """

    task: ClassVar[str] = "detection"

    def needed(self, output: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        return {name: output[name] for name in ("boxes", "scores", "labels")}

    def found(self, output: Mapping[str, torch.Tensor]) -> Detections:
        import numpy as np

        labels = np.asarray(self._labels.index, np.int64)[output["labels"].numpy()]
        known = labels >= 0
        boxes, scores = (output[name].float().numpy() for name in ("boxes", "scores"))
        return Detections(boxes[known], scores[known], labels[known])

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, Boxes], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return one scored frame with its boxes, mirrored with probability 0.5.

        Crowds, difficult objects and empty boxes are left out, as Fast R-CNN did with VOC's difficult objects.
        """
        import numpy as np
        import torch

        number = sorted(targets)[int(rng.integers(len(targets)))]
        image, target = frames[number], targets[number]
        size = np.asarray([image.shape[1], image.shape[0]] * 2, np.float64)
        boxes = np.clip(target.boxes, 0, size)
        usable = ~target.crowd & ~target.difficult & ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
        boxes, labels = boxes[usable], target.labels[usable]
        if rng.random() < 0.5:
            image = image[:, ::-1]
            boxes = boxes.copy()
            boxes[:, [0, 2]] = size[0] - boxes[:, [2, 0]]
        return {
            "image": channels_first(image),
            "boxes": torch.from_numpy(boxes.astype(np.float32)),
            "labels": torch.from_numpy(labels + 1),
        }
