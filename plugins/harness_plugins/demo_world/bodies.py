"""The objects in the street in the form that the compositor needs: flat convex parts, and sprites made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world import raster, texture
from harness_plugins.demo_world.geometry import Pixel, Plane
from harness_plugins.demo_world.light import Colour


class Part(NamedTuple):
    """A flat convex polygon on the canvas.

    Args:
        outline: the corners in canvas pixels.
        colour: the colour under the scene's light, RGB 0-255.
        grain: strength of the texture, 0-255.
        plane: the depth plane (see `PinholeCamera.plane`).
    """

    outline: Sequence[Pixel]
    colour: Colour
    grain: int
    plane: Plane


@dataclass(frozen=True, slots=True)
class Sprite:
    """The rendered pixels of one object, ready to be placed on the canvas.

    Args:
        top: row of the upper left corner on the canvas.
        left: column of the upper left corner on the canvas.
        cover: bool[h, w], the pixels that belong to the object.
        colour: uint8[h, w, 3], RGB.
        nearness: float32[h, w], 1 / depth in metres.
        whole: the share of the object's bounding rectangle that lies inside the frame, 0-1.
    """

    top: int
    left: int
    cover: npt.NDArray[np.bool_]
    colour: npt.NDArray[np.uint8]
    nearness: npt.NDArray[np.float32]
    whole: float


@dataclass(frozen=True, slots=True)
class Body:
    """An object in the street.

    Args:
        segment: its class number in the segmentation map.
        label: its number among the detection classes, or -1.
        depth: distance in metres; a nearer object hides a farther one.
        sprite: its pixels.
        keypoints: (column, row) on the canvas of COCO's 17 key points; empty for everything but a person.
    """

    segment: int
    label: int
    depth: float
    sprite: Sprite
    keypoints: tuple[Pixel, ...] = ()


def sprite(
    parts: Sequence[Part], height: int, width: int, seed: int, anchor: tuple[int, int] | None = None
) -> Sprite | None:
    """Draw the parts in order, each over the earlier ones. Return None when no part lies inside the canvas.

    The texture starts at the sprite's corner, or at `anchor` (row, column on the canvas). With an anchor, a moving
    object carries its texture along.
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
    """Return the body on a smaller canvas that starts `down` rows and `across` columns later; None if nothing is
    visible."""
    pixels = body.sprite
    top, left = pixels.top - down, pixels.left - across
    tall, wide = pixels.cover.shape
    area = np.s_[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    cover = pixels.cover[area]
    shown = int(np.count_nonzero(cover))
    if not shown:
        return None
    cropped = Sprite(
        max(top, 0),
        max(left, 0),
        cover,
        pixels.colour[area],
        pixels.nearness[area],
        pixels.whole if cover.shape == (tall, wide) else pixels.whole * shown / int(np.count_nonzero(pixels.cover)),
    )
    return replace(body, sprite=cropped, keypoints=tuple((x - across, y - down) for x, y in body.keypoints))


def _extent(outlines: Sequence[Sequence[Pixel]]) -> float:
    """Return the area of the bounding rectangle in canvas pixels, including what lies outside the frame."""
    columns = [x for outline in outlines for x, _ in outline]
    rows = [y for outline in outlines for _, y in outline]
    return (max(columns) - min(columns)) * (max(rows) - min(rows))
