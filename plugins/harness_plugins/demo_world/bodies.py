"""What stands in the street, as the compositor wants it: flat convex parts, and sprites made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world import raster, texture
from harness_plugins.demo_world.geometry import Pixel, Plane
from harness_plugins.demo_world.light import Colour


class Part(NamedTuple):
    """A flat convex polygon on the canvas: corners in pixels, lit colour, texture strength (0-255), depth plane."""

    outline: Sequence[Pixel]
    colour: Colour
    grain: int
    plane: Plane


@dataclass(frozen=True, slots=True)
class Sprite:
    """Pixels ready to be put on the canvas at (top, left): which, what colour, how near.

    `cover` bool[h, w]; `colour` uint8[h, w, 3]; `nearness` float32[h, w] is 1 / depth in metres; `whole` is the
    share of the body's bounding rectangle that lies inside the frame.
    """

    top: int
    left: int
    cover: npt.NDArray[np.bool_]
    colour: npt.NDArray[np.uint8]
    nearness: npt.NDArray[np.float32]
    whole: float


@dataclass(frozen=True, slots=True)
class Body:
    """One thing in the street.

    `segment` is its number in the class map, `label` its number among the detection classes or -1; `depth` in
    metres decides who hides whom; `keypoints` (column, row on the canvas; empty unless a person) follow COCO.
    """

    segment: int
    label: int
    depth: float
    sprite: Sprite
    keypoints: tuple[Pixel, ...] = ()


def sprite(
    parts: Sequence[Part], height: int, width: int, seed: int, anchor: tuple[int, int] | None = None
) -> Sprite | None:
    """Draws the parts in order, each over the ones before; None when nothing falls inside the canvas.

    The grain of the surfaces begins at the sprite's corner, or at the `anchor` (row, column of the canvas): what moves
    takes its grain along.
    """
    outlines = [part.outline for part in parts]
    box = raster.window(outlines, height, width)
    top, left, bottom, right = box
    if top >= bottom or left >= right:
        return None
    number = raster.draw(outlines, box)
    colours = np.array([(0, 0, 0)] + [part.colour for part in parts], dtype=np.int32)
    grains = np.array([0] + [part.grain for part in parts], dtype=np.int32)
    planes = np.array([(0.0, 0.0, 0.0)] + [part.plane for part in parts], dtype=np.float64)
    row, column = (0, 0) if anchor is None else (top - anchor[0], left - anchor[1])
    relief = texture.patch(seed + row, (seed >> 9) + column, bottom - top, right - left).astype(np.int32)
    colour = colours[number] * (2048 + ((grains[number] * relief) >> 3))[:, :, None] >> 11
    rows = np.arange(top, bottom, dtype=np.float64)[:, None] + 0.5
    columns = np.arange(left, right, dtype=np.float64)[None, :] + 0.5
    a, b, c = planes[:, 0][number], planes[:, 1][number], planes[:, 2][number]
    nearness = (a * columns + b * rows + c).clip(0.001, 2.0).astype(np.float32)
    shown = (bottom - top) * (right - left)
    return Sprite(
        top,
        left,
        number > 0,
        np.clip(colour, 0, 255).astype(np.uint8),
        nearness,
        min(1.0, shown / max(_extent(outlines), 1.0)),
    )


def shifted(body: Body, down: int, across: int, height: int, width: int) -> Body | None:
    """The body on a canvas of that size that begins `down` rows and `across` columns later; None when it is outside."""
    pixels = body.sprite
    top, left = pixels.top - down, pixels.left - across
    tall, wide = pixels.cover.shape
    part = np.s_[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    cover = pixels.cover[part]
    shown = int(np.count_nonzero(cover))
    if not shown:
        return None
    cut = Sprite(
        max(top, 0),
        max(left, 0),
        cover,
        pixels.colour[part],
        pixels.nearness[part],
        pixels.whole if cover.shape == (tall, wide) else pixels.whole * shown / int(np.count_nonzero(pixels.cover)),
    )
    return replace(body, sprite=cut, keypoints=tuple((x - across, y - down) for x, y in body.keypoints))


def _extent(outlines: Sequence[Sequence[Pixel]]) -> float:
    """Area of the bounding rectangle, in canvas pixels, whether inside the frame or not."""
    columns = [x for outline in outlines for x, _ in outline]
    rows = [y for outline in outlines for _, y in outline]
    return (max(columns) - min(columns)) * (max(rows) - min(rows))
