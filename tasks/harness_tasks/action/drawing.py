"""Draw the class of a clip, or the scores of its classes, into one of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image, ImageDraw

    from harness_tasks.action.types import ClipScores

__all__ = ["draw_class", "draw_scores"]

SPATIAL, MOTION = (255, 176, 64), (80, 200, 255)
"""Colours of the bars of the two streams: orange and blue."""
_SHOWN = 3
_WHITE, _GREY, _TRACK = (255, 255, 255), (176, 176, 176), (64, 64, 64)


def draw_scores(
    image: NDArray[np.uint8], prediction: ClipScores, fused: NDArray[np.float64], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """Return a copy of the image with a panel of the most probable classes along its lower edge.

    Each line shows the class, its fused probability, and two bars: the probability of the spatial stream (upper bar,
    orange) and of the motion stream (lower bar, blue). A bar of full width means probability 1.

    Args:
        image: uint8[H, W, 3], RGB.
        prediction: the clip's class probabilities of both streams.
        fused: float64[C], the fused probabilities.
        classes: the class names.
    """
    height, width = image.shape[:2]
    size = _text_size(image)
    line, margin = round(1.3 * size), round(0.4 * size)
    order = np.argsort(-fused, kind="stable")[: max(1, min(_SHOWN, (height - 2 * margin) // line))]
    canvas, pen, font, top = _panel(image, len(order) * line + 2 * margin)
    track = round(0.62 * width)
    for row, label in enumerate(order.tolist()):
        y = top + margin + row * line
        pen.text((track - margin, y), f"{100 * fused[label]:.0f}%", fill=_WHITE, font=font, anchor="ra")
        room = track - 3 * margin - pen.textlength("100%", font=font)
        name = _shortened(_name(label, classes), room, pen, font)
        pen.text((margin, y), name, fill=_WHITE if row == 0 else _GREY, font=font)
        right, bar = width - margin - 1, max(1, size // 2 - 1)
        for place, (scores, fill) in enumerate(((prediction.spatial, SPATIAL), (prediction.motion, MOTION))):
            upper = y + 1 + place * (bar + 1)
            pen.rectangle((track, upper, right, upper + bar - 1), fill=_TRACK)
            length = round(float(scores[label]) * (right - track + 1))
            if length > 0:
                pen.rectangle((track, upper, track + length - 1, upper + bar - 1), fill=fill)
    return np.array(canvas)


def draw_class(image: NDArray[np.uint8], label: int, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return a copy of the image with the name of a class along its lower edge.

    Args:
        image: uint8[H, W, 3], RGB.
        label: the index of the class.
        classes: the class names.
    """
    size = _text_size(image)
    line, margin = round(1.3 * size), round(0.4 * size)
    canvas, pen, font, top = _panel(image, line + 2 * margin)
    name = _shortened(_name(label, classes), image.shape[1] - 2 * margin, pen, font)
    pen.text((margin, top + margin), name, fill=_WHITE, font=font)
    return np.array(canvas)


def _text_size(image: NDArray[np.uint8]) -> int:
    return max(9, round(float(min(image.shape[:2])) / 17))


def _panel(image: NDArray[np.uint8], rows: int) -> tuple[Image.Image, ImageDraw.ImageDraw, Any, int]:
    """Darken the lowest `rows` rows. Return the image, a pen and a font for it, and the first of these rows."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    top = max(0, height - rows)
    canvas = Image.fromarray(image)
    shade = Image.new("RGB", (width, height - top))
    canvas.paste(Image.blend(canvas.crop((0, top, width, height)), shade, 0.7), (0, top))
    return canvas, ImageDraw.Draw(canvas), ImageFont.load_default(_text_size(image)), top


def _name(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label < len(classes) else f"class {label}"


def _shortened(name: str, room: float, pen: ImageDraw.ImageDraw, font: Any) -> str:
    """Shorten a name until it fits into `room` pixels."""
    while len(name) > 1 and pen.textlength(name, font=font) > room:
        name = name[:-2] + "…"
    return name
