"""The classes of a clip drawn into one of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_tasks.action.types import ClipScores

__all__ = ["draw_scores"]

SPATIAL, MOTION = (255, 176, 64), (80, 200, 255)
"""Colours of the two streams' bars: orange and blue."""
_SHOWN = 3
_WHITE, _GREY = (255, 255, 255), (176, 176, 176)


def draw_scores(
    image: NDArray[np.uint8], prediction: ClipScores, fused: NDArray[np.float64], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """A copy of the image with a panel of the most probable classes along its lower edge.

    Each line says the class, its fused probability, and as two bars what the spatial (upper, orange) and the motion
    stream (lower, blue) say of it; a bar over the whole of its track is probability 1.

    Args:
        image: uint8[H, W, 3], RGB.
        prediction: of the clip.
        fused: float64[C], the fused probabilities.
        classes: their names.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    size = max(9, round(min(height, width) / 17))
    font = ImageFont.load_default(size)
    line, margin = round(1.3 * size), round(0.4 * size)
    order = np.argsort(-fused, kind="stable")[: max(1, min(_SHOWN, (height - 2 * margin) // line))]
    top = max(0, height - len(order) * line - 2 * margin)
    canvas = Image.fromarray(image)
    shade = Image.new("RGB", (width, height - top))
    canvas.paste(Image.blend(canvas.crop((0, top, width, height)), shade, 0.7), (0, top))
    pen = ImageDraw.Draw(canvas)
    track = round(0.62 * width)
    for row, label in enumerate(order.tolist()):
        y = top + margin + row * line
        name = classes[label] if label < len(classes) else f"class {label}"
        value = f"{100 * fused[label]:.0f}%"
        pen.text((track - margin, y), value, fill=_WHITE, font=font, anchor="ra")
        room = track - 3 * margin - pen.textlength("100%", font=font)
        while len(name) > 1 and pen.textlength(name, font=font) > room:
            name = name[:-2] + "…"
        pen.text((margin, y), name, fill=_WHITE if row == 0 else _GREY, font=font)
        right, bar = width - margin - 1, max(1, size // 2 - 1)
        for place, (scores, fill) in enumerate(((prediction.spatial, SPATIAL), (prediction.motion, MOTION))):
            upper = y + 1 + place * (bar + 1)
            pen.rectangle((track, upper, right, upper + bar - 1), fill=(64, 64, 64))
            length = round(float(scores[label]) * (right - track + 1))
            if length > 0:
                pen.rectangle((track, upper, track + length - 1, upper + bar - 1), fill=fill)
    return np.array(canvas)
