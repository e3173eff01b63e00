"""Draw detections and objects into an image."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.detection.types import Boxes, Detections

__all__ = ["draw_detections", "draw_objects"]

Labelled = tuple[Sequence[float], int, str]
"""A box (x1, y1, x2, y2), the number of its class, and its text."""


def draw_detections(
    image: NDArray[np.uint8], prediction: Detections, classes: Sequence[str], confidence: float
) -> NDArray[np.uint8]:
    """Return a copy of the image with boxes, classes and scores of the confident detections, the most confident on top.

    Args:
        image: uint8[H, W, 3], RGB.
        prediction: the detections, in pixels of the image.
        classes: the class names.
        confidence: detections with a lower score are left out.
    """
    shown = np.flatnonzero(prediction.scores >= confidence)
    ordered = shown[np.argsort(prediction.scores[shown], kind="stable")].tolist()
    return _draw(
        image,
        (
            (
                prediction.boxes[index].tolist(),
                int(prediction.labels[index]),
                f"{_name(classes, int(prediction.labels[index]))} {prediction.scores[index]:.2f}",
            )
            for index in ordered
        ),
    )


def draw_objects(image: NDArray[np.uint8], target: Boxes, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return a copy of the image with boxes and classes of the annotated objects, small ones on top.

    Args:
        image: uint8[H, W, 3], RGB.
        target: the objects, in pixels of the image.
        classes: the class names.
    """

    def labelled(index: int) -> Labelled:
        label = int(target.labels[index])
        marks = [mark for mark in ("crowd", "difficult") if getattr(target, mark)[index]]
        return target.boxes[index].tolist(), label, " ".join([_name(classes, label), *(f"({m})" for m in marks)])

    return _draw(image, (labelled(index) for index in np.argsort(-target.area, kind="stable").tolist()))


def _draw(image: NDArray[np.uint8], boxes: Iterable[Labelled]) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    height, width = image.shape[:2]
    size = max(10, round(min(height, width) / 32))
    line = max(1, round(min(height, width) / 240))
    font = ImageFont.load_default(size)
    for (x1, y1, x2, y2), label, text in boxes:
        fill = _colour(label)
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=fill, width=line)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        x = min(max(0.0, x1), max(0.0, width - (right - left) - 2))
        y = y1 - (bottom - top) - 3
        y = y if y >= 0 else max(0.0, y1)
        pen.rectangle((x, y, x + right - left + 2, y + bottom - top + 2), fill=fill)
        pen.text((x + 1 - left, y + 1 - top), text, fill=(0, 0, 0), font=font)
    return np.array(canvas)


def _name(classes: Sequence[str], label: int) -> str:
    return classes[label] if label < len(classes) else f"class {label}"


def _colour(label: int) -> tuple[int, int, int]:
    """Return a light colour for a class. Consecutive classes differ clearly (golden-ratio steps around the hue
    circle)."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.61803398875 % 1, 0.65, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
