"""Select and transform the parts of a clip that a network sees: frames, stacks of optical flow, and image windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
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
    """A rectangular part of each frame, and the size that it is scaled to.

    Args:
        top: first row.
        left: first column.
        height: number of rows.
        width: number of columns.
        shape: height and width after scaling.
    """

    top: int
    left: int
    height: int
    width: int
    shape: tuple[int, int]

    def part(self, rows: float, columns: float) -> tuple[slice, slice]:
        """Return the same part for arrays of another size: `rows` and `columns` are their sizes relative to the
        frames'."""
        top, left = round(self.top * rows), round(self.left * columns)
        height, width = max(1, round(self.height * rows)), max(1, round(self.width * columns))
        return slice(top, top + height), slice(left, left + width)


def central_window(height: int, width: int, size: int, crop: float) -> Window:
    """Return the window of a test clip's frames.

    Args:
        height: height of the frames.
        width: width of the frames.
        size: length that the frames' shorter side is scaled to.
        crop: side of a central square as a share of the shorter side; 0 uses the whole frame.
    """
    shorter = min(height, width)
    if not crop:
        return Window(
            0, 0, height, width, (max(1, round(height * size / shorter)), max(1, round(width * size / shorter)))
        )
    side, target = max(1, round(crop * shorter)), max(1, round(crop * size))
    return Window((height - side) // 2, (width - side) // 2, side, side, (target, target))


def random_window(central: Window, height: int, width: int, rng: np.random.Generator) -> Window:
    """Return a random window of a training clip's frames. Its size is 80 to 110 % of the test clip's window."""
    share = float(rng.uniform(0.8, min(1.1, height / central.height, width / central.width)))
    rows, columns = max(1, round(share * central.height)), max(1, round(share * central.width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return Window(top, left, rows, columns, central.shape)


def spread(available: int, wanted: int) -> list[int]:
    """Return `wanted` indices, evenly spaced from the first (0) to the last; all indices if there are not more.

    >>> spread(10, 4), spread(2, 5), spread(-3, 5), spread(9, 1)
    ([0, 3, 6, 9], [0, 1], [0], [4])
    """
    count = min(max(1, available), wanted)
    if count == 1:
        return [max(0, available - 1) // 2]
    return [(2 * i * (available - 1) + count - 1) // (2 * (count - 1)) for i in range(count)]


def stacked_pairs(frames: int, length: int, starts: Sequence[int]) -> NDArray[np.int64]:
    """Return the frame pairs whose optical flow forms each stack: p stands for frames p and p + 1.

    A stack that would go beyond the end of the clip repeats the last pair.

    Args:
        frames: number of frames in the clip, at least two.
        length: flow fields per stack.
        starts: first pair of each stack.

    Returns:
        int64[stacks, length].
    """
    import numpy as np

    pairs = np.asarray(starts, np.int64)[:, None] + np.arange(length)
    return np.asarray(np.minimum(pairs, frames - 2), np.int64)


def resized(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Cut the window out of an image, and scale it."""
    import numpy as np

    part = image[window.top : window.top + window.height, window.left : window.left + window.width]
    return np.asarray(scaled(np.ascontiguousarray(part), window.shape), np.uint8)


def scaled(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Scale an image to (height, width): by pixel areas when it becomes smaller, bilinearly when it becomes larger."""
    import cv2
    import numpy as np

    if image.shape[:2] == shape:
        return image
    smaller = shape[0] <= image.shape[0] and shape[1] <= image.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation))


def cut_out(
    fields: NDArray[np.int8], part: tuple[slice, slice], shape: tuple[int, int], zoom: float
) -> NDArray[np.int8]:
    """Cut a part out of quantised flow fields and scale it bilinearly, as if the frames had been scaled.

    Args:
        fields: int8[P, 2, h, w].
        part: rows and columns of the part.
        shape: height and width after scaling.
        zoom: factor on the displacements, because they grow with the frames; the result is clipped to the int8 range.
    """
    import cv2
    import numpy as np

    channels = np.moveaxis(fields[(..., *part)].reshape(-1, *fields[(0, 0, *part)].shape), 0, -1)
    # Not with INTER_AREA: OpenCV supports it for at most four channels.
    rescaled = cv2.resize(np.ascontiguousarray(channels, np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    cut = np.clip(np.rint(np.moveaxis(np.asarray(rescaled).reshape(*shape, -1), -1, 0) * zoom), -127, 127)
    return cut.astype(np.int8).reshape(-1, 2, *shape)


def mirrored_fields(fields: NDArray[np.int8]) -> NDArray[np.int8]:
    """Mirror flow fields int8[P, 2, h, w] horizontally; the x displacements change their sign."""
    import numpy as np

    return np.stack([-fields[:, 0, :, ::-1], fields[:, 1, :, ::-1]], axis=1)


def relit(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change an image's brightness and contrast at random, each by up to 30 %. The image is uint8[H, W, 3]."""
    import numpy as np

    brightness, contrast = rng.uniform(0.7, 1.3, 2)
    mean = float(image.mean())
    changed = (image.astype(np.float32) - mean) * contrast + mean * brightness
    return np.asarray(np.clip(np.rint(changed), 0, 255), np.uint8)
