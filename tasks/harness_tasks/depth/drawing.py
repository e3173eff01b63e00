"""Draw depth maps in colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colours_of", "draw_depth"]

_LIGHTNESS = (8.0, 94.0)
_HUES = (285.0, 75.0)
_CHROMA = 52.0
_STEPS = 256
_TICKS = 4


def draw_depth(depth: NDArray[np.float32], nearest: float, farthest: float) -> NDArray[np.uint8]:
    """Return a depth map as a colour image, near bright and far dark, on a logarithmic scale that is drawn into the
    image.

    Args:
        depth: float32[H, W]; missing pixels (NaN) are grey.
        nearest: the depth with the brightest colour; nearer pixels get the same colour.
        farthest: the depth with the darkest colour; farther pixels get the same colour.

    Returns:
        uint8[H, W, 3], RGB.
    """
    return _with_scale(colours_of(depth, nearest, farthest), nearest, farthest)


def colours_of(depth: NDArray[np.float32], nearest: float, farthest: float) -> NDArray[np.uint8]:
    """Return the colours of depths, uint8[H, W, 3]; missing pixels are grey."""
    table = _table()
    known = np.isfinite(depth) & (depth > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.log(depth / nearest) / math.log(farthest / nearest)
    index = np.where(known, np.clip(np.where(known, share, 0.0), 0, 1) * (_STEPS - 1), 0)
    colours = table[_STEPS - 1 - np.rint(index).astype(np.intp)]
    colours[~known] = 128
    return colours


def _table() -> NDArray[np.uint8]:
    """Return 256 perceptually uniform colours from dark violet to light yellow, uint8[256, 3].

    In CIE 1976 L*a*b*, lightness and hue change linearly. The chroma is nearly constant; it is lower at both ends,
    where sRGB has no colours of that chroma.
    """
    share = np.linspace(0, 1, _STEPS)
    lightness = _LIGHTNESS[0] + share * (_LIGHTNESS[1] - _LIGHTNESS[0])
    hue = np.radians(_HUES[0] + share * (_HUES[1] - _HUES[0]))
    chroma = _CHROMA * np.sqrt(np.sin(np.pi * np.clip(0.06 + 0.82 * share, 0, 1)))
    return _srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))


def _srgb(lightness: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert CIE L*a*b* (D65, 2 degrees) to sRGB (IEC 61966-2-1), clipped to its gamut."""
    y = (lightness + 16) / 116
    roots = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    linear = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    xyz = linear * (0.95047, 1.0, 1.08883)
    matrix = np.array(
        [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
    )
    rgb = np.clip(xyz @ matrix.T, 0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    colours: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return colours


def _with_scale(canvas: NDArray[np.uint8], nearest: float, farthest: float) -> NDArray[np.uint8]:
    """Draw a colour bar with depth values into the lower left corner."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = canvas.shape[:2]
    size = max(9, round(min(height, width) / 22))
    length, thick = round(width * 0.6), max(3, size // 2)
    if length < 60 or height < 4 * size:
        return canvas
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    left, top = size // 2, height - thick - size // 2
    values = nearest * (farthest / nearest) ** np.linspace(0, 1, length)
    bar = colours_of(np.tile(values.astype(np.float32), (thick, 1)), nearest, farthest)
    pen.rectangle((left - 1, top - 1, left + length, top + thick), outline=(255, 255, 255))
    picture.paste(Image.fromarray(bar), (left, top))
    for tick in range(_TICKS):
        share = tick / (_TICKS - 1)
        text = f"{nearest * (farthest / nearest) ** share:.3g}"
        start, _, end, _ = pen.textbbox((0, 0), text, font=font)
        x = left + round(share * (length - (end - start)))
        pen.text((x, top - size - 3), text, fill=(255, 255, 255), font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.array(picture)
