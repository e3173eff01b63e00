"""Draw the bodies into an empty street, and return the image with its ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world import raster, sensor
from harness_plugins.demo_world.bodies import Body
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import Pixel
from harness_plugins.demo_world.light import Light
from harness_plugins.demo_world.scenery import ROAD, WALK, Canvas

SCALE = 2
"""Supersampling: canvas pixels per image pixel, along each axis."""
_LEAST_SHARE, _LEAST_AREA, _LEAST_SIDE = 0.3, 60.0, 6.0

Owners = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scene:
    """An image and its ground truth. N is the number of annotated objects, the nearest last.

    Args:
        image: uint8[192, 256, 3], RGB.
        classes: uint8[192, 256], class numbers of `SEGMENTS`.
        depth: float32[192, 256], metres along the optical axis; 1000 for the sky.
        boxes: float32[N, 4], x1, y1, x2, y2 in pixels, around the visible part of each object.
        labels: int64[N], numbers of `CLASSES`.
        areas: float32[N], visible area in pixels.
        visible: float32[N], the visible share of each object, 0-1.
        keypoints: float32[N, 17, 3], column, row and visibility: 0 outside the image or not a person, 1 hidden,
            2 visible.
    """

    image: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    areas: npt.NDArray[np.float32]
    visible: npt.NDArray[np.float32]
    keypoints: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _VisibleObject:
    """The visible part of an annotated object: its box and area in image pixels, and the visible share (0-1)."""

    body: Body
    box: tuple[float, float, float, float]
    area: float
    share: float


def put(canvas: Canvas, present: Sequence[Body]) -> Owners:
    """Draw the bodies, which must be sorted from far to near. Return the owner of each canvas pixel.

    The result is uint8[H, W]: the number of the body, from 1 on; 0 where there is no body.
    """
    owner = np.zeros(canvas.segment.shape, dtype=np.uint8)
    for number, body in enumerate(present, start=1):
        _put_body(canvas, owner, body, number)
    return owner


def observed(canvas: Canvas, owner: Owners, present: Sequence[Body], light: Light, noise: RandomDraws) -> Scene:
    """Return the camera's image of the canvas and the ground truth."""
    seen = [part for number, body in enumerate(present, start=1) if (part := _visible_part(owner, body, number))]
    return Scene(
        image=photographed(canvas, light, noise),
        classes=canvas.segment[::SCALE, ::SCALE].copy(),
        depth=np.float32(1.0) / canvas.nearness[::SCALE, ::SCALE],
        boxes=np.array([part.box for part in seen], dtype=np.float32).reshape(-1, 4),
        labels=np.array([part.body.label for part in seen], dtype=np.int64),
        areas=np.array([part.area for part in seen], dtype=np.float32),
        visible=np.array([part.share for part in seen], dtype=np.float32),
        keypoints=_keypoints(seen, owner, present),
    )


def photographed(canvas: Canvas, light: Light, noise: RandomDraws) -> npt.NDArray[np.uint8]:
    """Return the camera's image alone, uint8[H / 2, W / 2, 3]."""
    return sensor.developed(sensor.gathered(canvas.colour, canvas.nearness, light), light, noise)


def darken(canvas: Canvas, outlines: Sequence[Sequence[Pixel]], light: Light) -> None:
    """Draw shadows with these outlines on the ground."""
    if not outlines:
        return
    box = raster.window(outlines, *canvas.segment.shape)
    top, left, bottom, right = box
    if top >= bottom or left >= right:
        return
    covered = raster.draw(outlines, box) > 0
    ground = canvas.segment[top:bottom, left:right]
    covered &= (ground == ROAD) | (ground == WALK)
    strength = 110 if light.direct > 0.3 else 160
    area = canvas.colour[top:bottom, left:right]
    area[covered] = area[covered].astype(np.uint16) * strength >> 8


def _put_body(canvas: Canvas, owner: Owners, body: Body, number: int) -> None:
    """Draw one body on the canvas, and mark its pixels in `owner`."""
    pixels = body.sprite
    height, width = pixels.cover.shape
    area = np.s_[pixels.top : pixels.top + height, pixels.left : pixels.left + width]
    np.copyto(canvas.colour[area], pixels.colour, where=pixels.cover[:, :, None])
    np.copyto(canvas.nearness[area], pixels.nearness, where=pixels.cover)
    canvas.segment[area][pixels.cover] = body.segment
    owner[area][pixels.cover] = number


def _visible_part(owner: Owners, body: Body, number: int) -> _VisibleObject | None:
    """Return the visible part of an object, or None when too little is visible for an annotation."""
    if body.label < 0:
        return None
    pixels = body.sprite
    height, width = pixels.cover.shape
    mine = owner[pixels.top : pixels.top + height, pixels.left : pixels.left + width] == number
    count = int(np.count_nonzero(mine))
    share = count / max(int(np.count_nonzero(pixels.cover)), 1) * pixels.whole
    area = count / (SCALE * SCALE)
    if share < _LEAST_SHARE or area < _LEAST_AREA:
        return None
    rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
    box = (
        (pixels.left + int(columns[0])) / SCALE,
        (pixels.top + int(rows[0])) / SCALE,
        (pixels.left + int(columns[-1]) + 1) / SCALE,
        (pixels.top + int(rows[-1]) + 1) / SCALE,
    )
    if min(box[2] - box[0], box[3] - box[1]) < _LEAST_SIDE:
        return None
    return _VisibleObject(body, box, area, share)


def _keypoints(seen: list[_VisibleObject], owner: Owners, present: Sequence[Body]) -> npt.NDArray[np.float32]:
    """Return the key points of the visible persons, float32[N, 17, 3], as in `Scene`."""
    table = np.zeros((len(seen), 17, 3), dtype=np.float32)
    for row, person in enumerate(seen):
        number = next(index for index, body in enumerate(present, start=1) if body is person.body)
        for point, (x, y) in enumerate(person.body.keypoints):
            inside = 0.0 <= x < owner.shape[1] and 0.0 <= y < owner.shape[0]
            if inside:
                mine = owner[int(y), int(x)] == number
                table[row, point] = (x / SCALE, y / SCALE, 2.0 if mine else 1.0)
    return table
