"""Draw the skeletons of persons into an image."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness_tasks.pose.types import KEYPOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.pose.types import Persons, Poses

__all__ = ["draw_persons", "draw_poses"]

_BONES = (
    *(("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee")),
    *(("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip")),
    *(("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow")),
    *(("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
    *(("left_eye", "right_eye"), ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear")),
    *(("right_eye", "right_ear"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder")),
)
"""The bones of COCO's skeleton, each between two key points."""


def draw_poses(image: NDArray[np.uint8], prediction: Poses, confidence: float, visible: float) -> NDArray[np.uint8]:
    """Return a copy of the image with the skeletons of the confident persons, the most confident on top.

    Each limb has its own colour: warm on the left side, cold on the right side, green in the middle.

    Args:
        image: uint8[H, W, 3], RGB.
        prediction: the persons, in pixels of the image.
        confidence: persons with a lower score are left out.
        visible: key points with a lower confidence are left out.
    """
    shown = np.flatnonzero(prediction.scores >= confidence)
    shown = shown[np.argsort(prediction.scores[shown], kind="stable")]
    points = prediction.keypoints[shown]
    seen = (points[:, :, 2] > 0) & (points[:, :, 2] >= visible)
    return _draw(image, points[:, :, :2], seen, [f"{score:.2f}" for score in prediction.scores[shown]])


def draw_persons(image: NDArray[np.uint8], target: Persons) -> NDArray[np.uint8]:
    """Return a copy of the image with the skeletons of annotated persons, including hidden key points; large ones on
    top.

    Args:
        image: uint8[H, W, 3], RGB.
        target: the persons, in pixels of the image.
    """
    points = target.keypoints[np.argsort(target.area, kind="stable")]
    return _draw(image, points[:, :, :2], points[:, :, 2] > 0, [""] * len(points))


def _draw(
    image: NDArray[np.uint8], places: NDArray[np.floating], seen: NDArray[np.bool_], texts: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw skeletons, each with a text above it. `places` is float[N, 17, 2], `seen` is bool[N, 17]."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    side = min(image.shape[:2])
    line, dot = max(2, round(side / 110)), max(1.5, side / 120)
    size = max(10, round(side / 32))
    font = ImageFont.load_default(size)
    for points, drawn, text in zip(places, seen, texts, strict=True):
        for number, names in enumerate(_BONES):
            start, end = (KEYPOINTS.index(name) for name in names)
            if drawn[start] and drawn[end]:
                pen.line((*points[start].tolist(), *points[end].tolist()), fill=_colour(names, number), width=line)
        for x, y in points[drawn].tolist():
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(255, 255, 255))
        if text and drawn.any():
            x, y = points[drawn][points[drawn][:, 1].argmin()].tolist()  # the topmost key point
            place = (max(0.0, x - font.getlength(text) / 2), max(0.0, y - 2.2 * size))
            pen.text(place, text, fill=(255, 255, 255), font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.array(canvas)


def _colour(names: tuple[str, str], number: int) -> tuple[int, int, int]:
    """Return a limb's colour: warm on the left side, cold on the right, green across both. Consecutive limbs differ a
    little."""
    sides = {name.split("_")[0] for name in names} - {"nose"}
    start = {"left": 0.0, "right": 0.5}.get(sides.pop() if len(sides) == 1 else "", 0.33)
    red, green, blue = colorsys.hsv_to_rgb(start + 0.15 * (number * 0.61803398875 % 1), 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
