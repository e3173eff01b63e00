"""Data augmentation for the training of segmentation networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_tasks.images import resized_frame
from harness_tasks.segmentation.types import IGNORE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Augmentation", "resized_pair"]


@dataclass(frozen=True)
class Augmentation:
    """Mirrors the image with probability 0.5, then applies a random scale, crop and colour jitter.

    Args:
        crop: height and width of the crop; None for the size of the image.
        scale: the largest factor by which the image is enlarged or shrunk; the factor is uniform on a logarithmic
            scale. 1 means no scaling.
        jitter: the largest relative change of contrast and saturation. Brightness changes by at most a quarter of the
            value range times `jitter`. 0 means no jitter.
    """

    crop: tuple[int, int] | None = None
    scale: float = 1.0
    jitter: float = 0.0

    def __call__(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Augment an image uint8[H, W, 3] together with its label map uint8[H, W]. The arguments are not modified.

        If the scaled image is smaller than the crop, it is mirrored at its borders, and the labels there are IGNORE.
        """
        height, width = self.crop or labels.shape
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        if self.scale > 1:
            reach = math.log(self.scale)
            factor = math.exp(rng.uniform(-reach, reach))
            size = max(1, round(labels.shape[0] * factor)), max(1, round(labels.shape[1] * factor))
            image, labels = resized_pair(image, labels, size)
        image, labels = _padded(image, labels, height, width)
        top = int(rng.integers(labels.shape[0] - height + 1))
        left = int(rng.integers(labels.shape[1] - width + 1))
        image = image[top : top + height, left : left + width]
        labels = labels[top : top + height, left : left + width]
        return (_jittered(image, self.jitter, rng) if self.jitter else image), labels


def resized_pair(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Resize an image as in prediction, and its label map by nearest neighbour. `size` is (height, width)."""
    import cv2
    import numpy as np

    if labels.shape == size:
        return image, labels
    resized_labels = cv2.resize(np.ascontiguousarray(labels), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return resized_frame(image, size), resized_labels.astype(np.uint8, copy=False)


def _padded(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pad an image and its label map to at least this height and width."""
    import numpy as np

    rows, columns = max(0, height - labels.shape[0]), max(0, width - labels.shape[1])
    if not rows and not columns:
        return image, labels
    sides = (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
    return np.pad(image, (*sides, (0, 0)), "symmetric"), np.pad(labels, sides, constant_values=IGNORE)


def _jittered(image: NDArray[np.uint8], jitter: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change contrast, saturation and brightness at random."""
    import numpy as np

    contrast, saturation, brightness = rng.uniform(-jitter, jitter, 3).astype(np.float32)
    pixels = image.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    middle = grey.mean()
    # Saturation: grey + (1 + saturation)(pixels - grey). Then contrast: around the mean grey.
    pixels = (grey - middle + (1 + saturation) * (pixels - grey)) * (1 + contrast) + middle + 64 * brightness
    jittered: NDArray[np.uint8] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return jittered
