"""Draw label maps over an image."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colour_of", "draw_labels"]

_USUAL = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "light": (250, 170, 30),
    "sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 80, 200),
    "bus": (0, 130, 130),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
"""The well-known colours of Cityscapes (Cordts et al., CVPR 2016), except that truck and bus differ more."""

_ALSO = {
    "pavement": "sidewalk",
    "tree": "vegetation",
    "traffic light": "light",
    "traffic sign": "sign",
    "signsymbol": "sign",
    "pedestrian": "person",
    "bicyclist": "bicycle",
    "furniture": "fence",
}
_OPACITY = 0.6


def draw_labels(image: NDArray[np.uint8], labels: NDArray[np.integer], classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return a copy of the image, tinted by class. Pixels without a class keep their colour.

    The tint is translucent, so the image's brightness stays visible.

    Args:
        image: uint8[H, W, 3], RGB.
        labels: integer[H, W]; numbers from `len(classes)` on mean no class.
        classes: the class names.
    """
    colours = np.array([*(colour_of(name, number) for number, name in enumerate(classes)), (0, 0, 0)], np.float32)
    numbers = np.minimum(labels, len(classes)).astype(np.intp)
    drawn = (1 - _OPACITY) * image + _OPACITY * colours[numbers]
    return np.where((numbers < len(classes))[..., None], np.rint(drawn), image).astype(np.uint8)


def colour_of(name: str, number: int) -> tuple[int, int, int]:
    """Return the RGB colour of a class: that of Cityscapes if known, else a hue from the class's number (golden ratio).

    >>> colour_of("Pavement", 4) == colour_of("sidewalk", 1)
    True
    """
    plain = name.strip().casefold()
    if (known := _USUAL.get(_ALSO.get(plain, plain))) is not None:
        return known
    red, green, blue = colorsys.hsv_to_rgb(number * 0.61803398875 % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
