"""Pictures to test plugins with: three with the statistics of photographs, and some that are none.

The "photographs" are dead leaves: discs of all sizes that cover each other, with shading and a fine texture. Such
pictures have the edges, the flat parts and the spectrum of photographs (Lee, Mumford, Huang: Occlusion models for
natural images, 2001), and they are the same on every machine without a file.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["black", "clip", "noise", "photograph", "photographs"]


@cache
def photograph(number: int = 0, height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """Return a picture with the statistics of a photograph, uint8[H, W, 3] (RGB). It cannot be written to.

    Args:
        number: which one; each number gives another picture.
        height: its height in pixels.
        width: its width in pixels.
    """
    import numpy as np

    rng = np.random.default_rng([number, height, width])
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    picture = np.empty((height, width, 3))
    picture[:] = rng.uniform(40, 215, 3)
    largest = max(2.0, min(height, width) / 2)
    for _ in range(160):
        # The radius has a density of r^-3, which makes the picture look the same at every scale.
        radius = 1 / np.sqrt(rng.uniform(1 / largest**2, 1 / 4.0))
        down, right = rows - rng.uniform(0, height), columns - rng.uniform(0, width)
        inside = down**2 + right**2 < radius**2
        shade = 1 + 0.25 * (rng.uniform(-1, 1) * down + rng.uniform(-1, 1) * right) / radius
        grey, tint = rng.uniform(20, 235), rng.normal(0, 22, 3) + np.array([9.0, 0.0, -9.0])
        picture[inside] = ((grey + tint)[None, None] * shade[..., None])[inside]
    texture = rng.normal(0, 6, (height, width))
    texture += np.roll(texture, 1, 0) + np.roll(texture, 1, 1)
    made = np.clip(picture + texture[..., None], 0, 255).round().astype(np.uint8)
    made.flags.writeable = False
    return made


def photographs(height: int = 96, width: int = 128) -> list[NDArray[np.uint8]]:
    """Return three pictures of one frame each, uint8[1, H, W, 3]."""
    return [photograph(number, height, width)[None].copy() for number in range(3)]


def clip(frames: int = 4, height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """Return a clip uint8[T, H, W, 3]: a window that moves over a picture, 5 pixels to the right in each frame."""
    import numpy as np

    wide = photograph(7, height, width + 5 * frames)
    return np.stack([wide[:, 5 * number : 5 * number + width] for number in range(frames)])


def black(frames: int = 1, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Return black frames, uint8[T, H, W, 3]."""
    import numpy as np

    return np.zeros((frames, height, width, 3), np.uint8)


def noise(frames: int = 1, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Return frames of noise, uint8[T, H, W, 3]."""
    import numpy as np

    return np.random.default_rng(5).integers(0, 256, (frames, height, width, 3), np.uint8)
