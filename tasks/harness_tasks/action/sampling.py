"""Which frames and stacks of a clip are seen, and which part of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Window",
    "central_window",
    "cut_out",
    "mirrored_fields",
    "random_window",
    "relit",
    "resized",
    "scaled",
    "spread",
    "stacked_pairs",
]


@dataclass(frozen=True)
class Window:
    """A part of the frames, and the size it is brought to.

    Args:
        top: first row.
        left: first column.
        height: rows.
        width: columns.
        shape: height and width that the part is scaled to.
    """

    top: int
    left: int
    height: int
    width: int
    shape: tuple[int, int]

    def part(self, rows: float, columns: float) -> tuple[slice, slice]:
        """The same part of something that has so many rows for one of the frames', and so many columns."""
        top, left = round(self.top * rows), round(self.left * columns)
        height, width = max(1, round(self.height * rows)), max(1, round(self.width * columns))
        return slice(top, top + height), slice(left, left + width)


def central_window(height: int, width: int, size: int, crop: float) -> Window:
    """What is seen of a test clip's frames.

    Args:
        height: of the frames.
        width: of the frames.
        size: what the frames' shorter side is scaled to.
        crop: side of the central square as a share of the shorter side; 0 sees the whole frame.
    """
    shorter = min(height, width)
    if not crop:
        return Window(
            0, 0, height, width, (max(1, round(height * size / shorter)), max(1, round(width * size / shorter)))
        )
    side, shown = max(1, round(crop * shorter)), max(1, round(crop * size))
    return Window((height - side) // 2, (width - side) // 2, side, side, (shown, shown))


def random_window(central: Window, height: int, width: int, rng: np.random.Generator) -> Window:
    """A part of a training clip's frames, in its size between 80 and 110 % of the test clip's, anywhere in them."""
    share = float(rng.uniform(0.8, min(1.1, height / central.height, width / central.width)))
    rows, columns = max(1, round(share * central.height)), max(1, round(share * central.width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return Window(top, left, rows, columns, central.shape)


def spread(available: int, wanted: int) -> list[int]:
    """So many of the numbers from 0 on, evenly spaced from the first to the last; all where there are no more.

    >>> spread(10, 4), spread(2, 5), spread(-3, 5), spread(9, 1)
    ([0, 3, 6, 9], [0, 1], [0], [4])
    """
    count = min(max(1, available), wanted)
    if count == 1:
        return [max(0, available - 1) // 2]
    return [(2 * i * (available - 1) + count - 1) // (2 * (count - 1)) for i in range(count)]


def stacked_pairs(frames: int, length: int, starts: Sequence[int]) -> NDArray[np.int64]:
    """The pairs of frames whose flow makes up stacks: p stands for frames p and p + 1, the last one is repeated.

    Args:
        frames: of the clip, at least two.
        length: flow fields in a stack.
        starts: first pair of each stack.

    Returns:
        int64[stacks, length].
    """
    pairs = np.asarray(starts, np.int64)[:, None] + np.arange(length)
    return np.asarray(np.minimum(pairs, frames - 2), np.int64)


def resized(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """A part of an image, scaled."""
    part = image[window.top : window.top + window.height, window.left : window.left + window.width]
    return np.asarray(scaled(np.ascontiguousarray(part), window.shape), np.uint8)


def scaled(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An image scaled to height and width: by pixel areas where it becomes smaller, bilinearly where larger."""
    import cv2

    if image.shape[:2] == shape:
        return image
    smaller = shape[0] <= image.shape[0] and shape[1] <= image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=way))


def cut_out(
    fields: NDArray[np.int8], part: tuple[slice, slice], shape: tuple[int, int], zoom: float
) -> NDArray[np.int8]:
    """A part of quantised flow fields, scaled bilinearly as if the frames had been: displacements grow with them.

    Args:
        fields: int8[P, 2, h, w].
        part: rows and columns.
        shape: height and width that the part is brought to.
        zoom: what displacements are multiplied by; what exceeds the bound is cut off.
    """
    import cv2

    whole = np.moveaxis(fields[(..., *part)].reshape(-1, *fields[(0, 0, *part)].shape), 0, -1)
    # Not by areas: OpenCV does that for four channels at most.
    brought = cv2.resize(np.ascontiguousarray(whole, np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    cut = np.clip(np.rint(np.moveaxis(np.asarray(brought).reshape(*shape, -1), -1, 0) * zoom), -127, 127)
    return cut.astype(np.int8).reshape(-1, 2, *shape)


def mirrored_fields(fields: NDArray[np.int8]) -> NDArray[np.int8]:
    """Flow int8[P, 2, h, w] as it is in the mirror: x points the other way."""
    return np.stack([-fields[:, 0, :, ::-1], fields[:, 1, :, ::-1]], axis=1)


def relit(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """An image uint8[H, W, 3] with another brightness and contrast, each by up to 30 %."""
    brightness, contrast = rng.uniform(0.7, 1.3, 2)
    mean = float(image.mean())
    changed = (image.astype(np.float32) - mean) * contrast + mean * brightness
    return np.asarray(np.clip(np.rint(changed), 0, 255), np.uint8)
