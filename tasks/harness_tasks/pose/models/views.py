"""The part of a frame that a network sees: the whole frame, scaled and padded; in training also a random square.

Coordinates are in pixels, and the centre of the first pixel is (0, 0), as in COCO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.pose.skeleton import MIRRORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.pose.types import Persons

__all__ = ["MULTIPLE", "View", "fitted", "fitted_size", "person_view", "whole_view"]

MULTIPLE = 16
"""Heights and widths of network inputs are multiples of this number."""
_GREY = 128
_PERSON = 0.6
_SCALES = (0.5, 1.1)
_TURN = 40.0
_SHIFT = 0.11


def fitted_size(height: int, width: int, wanted: int) -> tuple[int, int]:
    """Return the height and width of a frame that is scaled to the height `wanted`."""
    return wanted, max(1, round(width * wanted / height))


def fitted(image: NDArray[np.uint8], wanted: int) -> NDArray[np.uint8]:
    """Scale an image to the height `wanted` (bicubic), and pad it with grey on the right and at the bottom to multiples
    of 16."""
    import cv2

    height, width = fitted_size(image.shape[0], image.shape[1], wanted)
    if (height, width) != image.shape[:2]:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    below, right = -height % MULTIPLE, -width % MULTIPLE
    return np.pad(image, ((0, below), (0, right), (0, 0)), constant_values=_GREY) if below or right else image


@dataclass(frozen=True)
class View:
    """The image and the persons of one training example.

    Args:
        image: uint8[h, w, 3].
        keypoints: float64[N, 17, 3], of persons with labelled key points; key points outside the view are unlabelled.
        unlabelled: float64[M, 4], boxes of crowds and of persons without labelled key points; (0, 0) is the corner of
            the first pixel.
    """

    image: NDArray[np.uint8]
    keypoints: NDArray[np.float64]
    unlabelled: NDArray[np.float64]


def whole_view(image: NDArray[np.uint8], persons: Persons, size: tuple[int, int], mirror: bool) -> View:
    """Return the whole frame, scaled to fit into the top left corner of `size` (height, width), and mirrored if
    `mirror`."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    matrix = np.array([[scale, 0.0, 0.5 * scale - 0.5], [0.0, scale, 0.5 * scale - 0.5]])
    return _view(image, persons, matrix, size, mirror)


def person_view(image: NDArray[np.uint8], persons: Persons, side: int, rng: np.random.Generator) -> View:
    """Return a square view around a random person, as in the training of the published model.

    The person is scaled to 0.6 of the square, times a random factor of 0.5 to 1.1. The view is rotated by up to 40
    degrees, shifted by up to 11 %, and mirrored with probability 0.5. These are the values of the code of Cao et al.
    (CVPR 2017). In a frame without labelled persons, the square is around the frame's centre.
    """
    labelled = np.flatnonzero(_labelled(persons))
    if len(labelled):
        left, top, right, bottom = persons.boxes[labelled[int(rng.integers(len(labelled)))]]
    else:
        left, top, right, bottom = 0.0, 0.0, float(image.shape[1]), float(image.shape[0])
    extent = max(right - left, bottom - top, 1.0)
    scale = _PERSON * side / extent * rng.uniform(*_SCALES)
    turn = np.deg2rad(rng.uniform(-_TURN, _TURN))
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([left + right, top + bottom]) / 2 - 0.5
    goal = (side - 1) / 2 + rng.uniform(-_SHIFT, _SHIFT, 2) * side
    matrix = np.column_stack([rotation, goal - rotation @ centre])
    return _view(image, persons, matrix, (side, side), bool(rng.random() < 0.5))


def _labelled(persons: Persons) -> NDArray[np.bool_]:
    """Return which persons have labelled key points and are no crowd."""
    return ~persons.crowd & (persons.keypoints[:, :, 2] > 0).any(axis=1)


def _view(
    image: NDArray[np.uint8], persons: Persons, matrix: NDArray[np.float64], size: tuple[int, int], mirror: bool
) -> View:
    """Transform the image and its persons by an affine map of coordinates (2x3), then mirror them if `mirror`."""
    if mirror:
        matrix = matrix * [[-1.0], [1.0]] + [[0.0, 0.0, size[1] - 1.0], [0.0, 0.0, 0.0]]
    labelled = _labelled(persons)
    keypoints = persons.keypoints[labelled].copy()
    keypoints[..., :2] = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    inside = ((keypoints[..., :2] > -0.5) & (keypoints[..., :2] < [size[1] - 0.5, size[0] - 0.5])).all(axis=2)
    keypoints[..., 2] *= inside
    if mirror:
        keypoints = keypoints[:, list(MIRRORED)]
    corners = persons.boxes[~labelled][:, [[0, 1], [2, 1], [0, 3], [2, 3]]] - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    boxes = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    return View(_warped(image, matrix, size), keypoints, boxes)


def _warped(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Transform an image by an affine map; areas outside the image are grey."""
    import cv2

    if image.shape[:2] == size and np.array_equal(matrix, [[1, 0, 0], [0, 1, 0]]):
        return image
    if image.shape[:2] == size and np.array_equal(matrix, [[-1, 0, size[1] - 1], [0, 1, 0]]):
        return np.ascontiguousarray(image[:, ::-1])
    grey = (_GREY, _GREY, _GREY)
    seen = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_CUBIC, borderValue=grey)
    return np.asarray(seen, np.uint8)
