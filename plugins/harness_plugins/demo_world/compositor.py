"""From bodies and an empty street to a picture and its truth."""

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
"""Canvas pixels along each side of a pixel of the image."""
_LEAST_SHARE, _LEAST_AREA, _LEAST_SIDE = 0.3, 60.0, 6.0

Owners = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scene:
    """An image and everything that is known about it.

    `image` uint8[192, 256, 3] RGB; `classes` uint8[192, 256] numbers of `SEGMENTS`; `depth` float32[192, 256] metres
    along the optical axis, 1000 for the sky. For each of N annotated objects, nearest last: `boxes` float32[N, 4]
    x1, y1, x2, y2 in pixels around what is visible of it; `labels` int64[N] numbers of `CLASSES`; `areas` float32[N]
    visible pixels; `visible` float32[N] the share of the object that can be seen (0-1); `keypoints` float32[N, 17, 3]
    column, row and 0 = outside the image or not a person, 1 = hidden, 2 = visible.
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
class _Seen:
    body: Body
    box: tuple[float, float, float, float]
    area: float
    share: float


def put(canvas: Canvas, present: Sequence[Body]) -> Owners:
    """Draws the bodies, far ones first; uint8[H, W] says whose each canvas pixel is: numbers from 1 on, 0 is nobody."""
    owner = np.zeros(canvas.segment.shape, dtype=np.uint8)
    for number, body in enumerate(present, start=1):
        _put(canvas, owner, body, number)
    return owner


def observed(canvas: Canvas, owner: Owners, present: Sequence[Body], light: Light, noise: RandomDraws) -> Scene:
    """What the camera makes of the canvas, and what is true of it."""
    seen = [found for number, body in enumerate(present, start=1) if (found := _seen(owner, body, number))]
    return Scene(
        image=photographed(canvas, light, noise),
        classes=canvas.segment[::SCALE, ::SCALE].copy(),
        depth=np.float32(1.0) / canvas.nearness[::SCALE, ::SCALE],
        boxes=np.array([found.box for found in seen], dtype=np.float32).reshape(-1, 4),
        labels=np.array([found.body.label for found in seen], dtype=np.int64),
        areas=np.array([found.area for found in seen], dtype=np.float32),
        visible=np.array([found.share for found in seen], dtype=np.float32),
        keypoints=_keypoints(seen, owner, present),
    )


def photographed(canvas: Canvas, light: Light, noise: RandomDraws) -> npt.NDArray[np.uint8]:
    """uint8[H / 2, W / 2, 3]: the image alone."""
    return sensor.developed(sensor.gathered(canvas.colour, canvas.nearness, light), light, noise)


def darken(canvas: Canvas, outlines: Sequence[Sequence[Pixel]], light: Light) -> None:
    """Puts shadows of these outlines on the ground."""
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


def _put(canvas: Canvas, owner: Owners, body: Body, number: int) -> None:
    pixels = body.sprite
    height, width = pixels.cover.shape
    area = np.s_[pixels.top : pixels.top + height, pixels.left : pixels.left + width]
    np.copyto(canvas.colour[area], pixels.colour, where=pixels.cover[:, :, None])
    np.copyto(canvas.nearness[area], pixels.nearness, where=pixels.cover)
    canvas.segment[area][pixels.cover] = body.segment
    owner[area][pixels.cover] = number


def _seen(owner: Owners, body: Body, number: int) -> _Seen | None:
    """What of an object can be seen, or None when it is too little to be annotated."""
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
    return _Seen(body, box, area, share)


def _keypoints(seen: list[_Seen], owner: Owners, present: Sequence[Body]) -> npt.NDArray[np.float32]:
    table = np.zeros((len(seen), 17, 3), dtype=np.float32)
    for row, found in enumerate(seen):
        number = next(index for index, body in enumerate(present, start=1) if body is found.body)
        for point, (x, y) in enumerate(found.body.keypoints):
            inside = 0.0 <= x < owner.shape[1] and 0.0 <= y < owner.shape[0]
            if inside:
                mine = owner[int(y), int(x)] == number
                table[row, point] = (x / SCALE, y / SCALE, 2.0 if mine else 1.0)
    return table
