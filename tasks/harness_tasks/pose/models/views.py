"""What of a frame a network sees: the whole frame, fitted and padded; in training, a view of it.

Coordinates are in pixels from the centre of the first one, as COCO counts them.
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
"""Heights and widths of inputs are multiples of it."""
_GREY = 128
_PERSON = 0.6
_SCALES = (0.5, 1.1)
_TURN = 40.0
_SHIFT = 0.11


def fitted_size(height: int, width: int, wanted: int) -> tuple[int, int]:
    """Height and width of a frame scaled to that height."""
    return wanted, max(1, round(width * wanted / height))


def fitted(image: NDArray[np.uint8], wanted: int) -> NDArray[np.uint8]:
    """The image scaled to that height (bicubic), padded with grey on the right and below to multiples of 16."""
    import cv2

    height, width = fitted_size(image.shape[0], image.shape[1], wanted)
    if (height, width) != image.shape[:2]:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    below, right = -height % MULTIPLE, -width % MULTIPLE
    return np.pad(image, ((0, below), (0, right), (0, 0)), constant_values=_GREY) if below or right else image


@dataclass(frozen=True)
class View:
    """A training input.

    Args:
        image: uint8[h, w, 3].
        keypoints: float64[N, 17, 3], of the persons that have labelled key points; those outside count as unlabelled.
        unlabelled: float64[M, 4], boxes (corners of pixels) of crowds, and of persons without labelled key points.
    """

    image: NDArray[np.uint8]
    keypoints: NDArray[np.float64]
    unlabelled: NDArray[np.float64]


def whole_view(image: NDArray[np.uint8], persons: Persons, size: tuple[int, int], mirror: bool) -> View:
    """The whole frame, scaled to fit into that height and width in the top left corner; mirrored on demand."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    matrix = np.array([[scale, 0.0, 0.5 * scale - 0.5], [0.0, scale, 0.5 * scale - 0.5]])
    return _view(image, persons, matrix, size, mirror)


def person_view(image: NDArray[np.uint8], persons: Persons, side: int, rng: np.random.Generator) -> View:
    """A square around one of the persons, as the published model was trained.

    The person is scaled to 0.6 of the square, and that by 0.5 to 1.1, turned by up to 40 degrees, shifted by up to
    11 % and mirrored half of the time (the values of the code that comes with Cao et al., CVPR 2017). A frame without
    labelled persons is seen around its middle.
    """
    known = np.flatnonzero(_labelled(persons))
    if len(known):
        left, top, right, bottom = persons.boxes[known[int(rng.integers(len(known)))]]
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
    return ~persons.crowd & (persons.keypoints[:, :, 2] > 0).any(axis=1)


def _view(
    image: NDArray[np.uint8], persons: Persons, matrix: NDArray[np.float64], size: tuple[int, int], mirror: bool
) -> View:
    """The image and its persons through an affine map (2x3, of coordinates), then mirrored."""
    if mirror:
        matrix = matrix * [[-1.0], [1.0]] + [[0.0, 0.0, size[1] - 1.0], [0.0, 0.0, 0.0]]
    known = _labelled(persons)
    keypoints = persons.keypoints[known].copy()
    keypoints[..., :2] = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    inside = ((keypoints[..., :2] > -0.5) & (keypoints[..., :2] < [size[1] - 0.5, size[0] - 0.5])).all(axis=2)
    keypoints[..., 2] *= inside
    if mirror:
        keypoints = keypoints[:, list(MIRRORED)]
    corners = persons.boxes[~known][:, [[0, 1], [2, 1], [0, 3], [2, 3]]] - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    boxes = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    return View(_warped(image, matrix, size), keypoints, boxes)


def _warped(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    if image.shape[:2] == size and np.array_equal(matrix, [[1, 0, 0], [0, 1, 0]]):
        return image
    if image.shape[:2] == size and np.array_equal(matrix, [[-1, 0, size[1] - 1], [0, 1, 0]]):
        return np.ascontiguousarray(image[:, ::-1])
    grey = (_GREY, _GREY, _GREY)
    seen = cv2.warpAffine(image, matrix, (size[1], size[0]), flags=cv2.INTER_CUBIC, borderValue=grey)
    return np.asarray(seen, np.uint8)
