"""The empty street: sky, house fronts and ground, computed for each pixel from the camera's geometry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness_plugins.demo_world import texture
from harness_plugins.demo_world.classes import SEGMENTS
from harness_plugins.demo_world.geometry import PinholeCamera
from harness_plugins.demo_world.light import Colour, Light
from harness_plugins.demo_world.street import Street

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

SKY, ROAD, WALK, WALL, GREEN = (SEGMENTS.index(name) for name in ("sky", "road", "sidewalk", "building", "vegetation"))
SKY_DEPTH = 1000.0
"""The depth of the sky in the depth map, in metres."""
_OPEN = 400.0  # how far a side road can be seen, in metres


@dataclass(slots=True)
class Canvas:
    """The image drawn so far, in the supersampled size.

    Args:
        colour: uint8[H, W, 3], RGB.
        segment: uint8[H, W], class numbers.
        nearness: float32[H, W], 1 / depth in metres.
    """

    colour: npt.NDArray[np.uint8]
    segment: npt.NDArray[np.uint8]
    nearness: npt.NDArray[np.float32]


def backdrop(street: Street, camera: PinholeCamera, light: Light, height: int, width: int) -> Canvas:
    """Draw the street without any objects."""
    columns = np.arange(width, dtype=np.float64) + 0.5 - camera.centre
    rows = np.arange(height, dtype=np.float64) + 0.5 - camera.horizon
    wall = np.where(columns < 0.0, street.left, street.right)
    columns[columns == 0.0] = 0.25
    aside = wall * camera.focal / columns
    ahead = aside < street.end
    depth = np.where(ahead, aside, street.end)
    along = np.where(ahead, np.where(columns < 0.0, depth, depth + 97.0), columns * street.end / camera.focal + 60.0)
    fronts = street.fronts
    number = np.searchsorted(np.array([front.start for front in fronts[1:]]), along - 220.0 * np.floor(along / 220.0))
    heights = np.array([front.height for front in fronts])[number]
    rough = np.array([1.0 if front.green else 0.0 for front in fronts])[number]
    jag = texture.lookup((along * 40.0).astype(np.int64), np.full(width, street.seed & 511)).astype(np.float64)
    heights = heights + rough * jag * (heights * 0.0015)
    if street.crossing:
        gap = ahead & (depth > street.crossing) & (depth < street.crossing + 6.0)
        depth, heights = np.where(gap, _OPEN, depth), np.where(gap, 0.0, heights)
    up = camera.height - rows[:, None] * (depth / camera.focal)[None, :]
    canvas = Canvas(
        np.zeros((height, width, 3), dtype=np.uint8),
        np.full((height, width), SKY, dtype=np.uint8),
        np.full((height, width), 1.0 / SKY_DEPTH, dtype=np.float32),
    )
    _sky(canvas, street, light, camera)
    _fronts(canvas, street, camera, light, np.flatnonzero((up >= 0.0) & (up < heights)), up, along, depth, number)
    _ground(canvas, street, camera, light, np.flatnonzero(up < 0.0))
    return canvas


def _sky(canvas: Canvas, street: Street, light: Light, camera: PinholeCamera) -> None:
    """Draw the sky: a vertical colour gradient with clouds."""
    width = canvas.segment.shape[1]
    lowest = camera.horizon + camera.focal * camera.height / _OPEN
    height = min(int(lowest) + 2, canvas.segment.shape[0])
    low, high = np.array(light.haze, dtype=np.int16), np.array(light.sky_high, dtype=np.int16)
    ramp = (np.arange(height, dtype=np.float64) * (128.0 / max(camera.horizon, 1.0))).clip(0.0, 128.0).astype(np.int16)
    colour = (high * (128 - ramp[:, None]) + low * ramp[:, None]) >> 7
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    clouds = texture.lookup(rows + (street.seed >> 9), (columns >> 1) + street.seed)
    cover = (clouds.clip(-40, 160) * np.int16(light.clouds)) >> 8
    canvas.colour[:height] = (colour[:, None, :] + cover[:, :, None]).clip(0, 255)


def _fraction(values: Floats) -> Floats:
    """Return the fractional part of the values."""
    return values - np.floor(values)


def _fronts(
    canvas: Canvas,
    street: Street,
    camera: PinholeCamera,
    light: Light,
    where: npt.NDArray[np.intp],
    up: Floats,
    along: Floats,
    depth: Floats,
    number: npt.NDArray[np.intp],
) -> None:
    """Draw the house fronts and hedges into the canvas pixels with the flat indices `where`."""
    width = canvas.segment.shape[1]
    column = where % width
    up, along, which = up.ravel()[where], along[column], number[column]
    fronts = street.fronts
    table = np.array([(f.height, 1.0 / f.bay, 1.0 / f.storey, f.base, f.pane) for f in fronts])
    tall, bay, storey, base, pane = (table[:, field][which] for field in range(5))
    green = np.array([f.green for f in fronts])[which]
    across, level = along * bay, (up - base) * storey
    cell, floor = np.floor(across), np.floor(level)
    across, level = np.abs(across - cell - 0.5), np.abs(level - floor - 0.51)
    pane = 0.5 - pane
    upper = up >= base
    window = (across < pane) & (level < 0.29) & upper & (up < tall - 0.5)
    window |= ~upper & (base > 2.0) & (across < 0.4) & (np.abs(up - 1.57) < 1.03)
    window &= ~green
    rim = window & ((across > pane - 0.05) | (level > 0.25) & upper | (across < 0.02))
    ledge = ((np.abs(up - base) < 0.12) | (up > tall - 0.35)) & ~green
    relief = texture.lookup((up * 40.0).astype(np.int32), (along * 40.0).astype(np.int32)).astype(np.int32)
    panes = texture.lookup(floor.astype(np.int32) * 61 + street.seed, cell.astype(np.int32) * 37)
    shine = texture.lookup((up * 9.0).astype(np.int32), (along * 14.0).astype(np.int32))
    glass = np.array([f.glass for f in fronts], dtype=np.int32)[which] + ((panes + shine) >> 2).clip(-20, 90)
    shade = 256 + np.where(green, relief * 2, relief)
    joint = np.array([f.bricks for f in fronts])[which] & (_fraction(up * 3.3) < 0.16)
    shade[joint] = shade[joint] * 13 >> 4
    shade[ledge] = shade[ledge] * 5 >> 2
    shade = np.where(window & ~rim, glass * 2, shade)
    sides = ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0))
    bright = np.array([int(256.0 * light.on(normal)) for normal in sides], dtype=np.int32)
    facing = np.where(depth >= street.end, 0, np.where(np.arange(width) < camera.centre, 1, 2))
    walls = [f.wall for f in fronts]
    material = np.where(window, np.where(rim, len(walls), len(walls) + 1), which)
    _paint(canvas, where, [*walls, (206, 204, 196), (96, 100, 108)], material, shade * bright[facing][column], light)
    canvas.segment.ravel()[where] = np.where(green, GREEN, WALL)
    canvas.nearness.ravel()[where] = (1.0 / depth)[column]


def _ground(canvas: Canvas, street: Street, camera: PinholeCamera, light: Light, where: npt.NDArray[np.intp]) -> None:
    """Draw road, sidewalk, kerbs and road markings into the canvas pixels with the flat indices `where`."""
    width = canvas.segment.shape[1]
    row, column = np.divmod(where.astype(np.int32), np.int32(width))
    depth = camera.focal * camera.height / (row + 0.5 - camera.horizon)
    x = (column + 0.5 - camera.centre) * depth / camera.focal
    aside = np.abs(x - street.middle)
    road = aside < street.kerb
    if street.crossing:
        road |= (depth > street.crossing) & (depth < street.crossing + 6.0)
    kerb = (aside > street.kerb) & (aside < street.kerb + 0.16) & ~road
    mark = road & (aside < 0.07) & (_fraction(depth * 0.25) < 0.55)
    mark |= road & (np.abs(aside - street.kerb + 0.3) < 0.05)
    if street.stripes:
        on = (depth > street.stripes) & (depth < street.stripes + 2.4) & (aside < street.kerb)
        mark = np.where(on, _fraction(x) < 0.5, mark)
    deep, across = (depth * 90.0).astype(np.int32), (x * 90.0 + 65536.0).astype(np.int32)
    fine = texture.lookup(deep + street.seed, across).astype(np.int32)
    coarse = texture.lookup((deep >> 3) + 77, (across >> 3) + street.seed).astype(np.int32)
    fade = (1600.0 / (4.0 + depth)).astype(np.int32)
    shade = 256 + (fine * fade >> 8) + (coarse * 3 >> 3)
    if street.slab:
        slabs = 1.0 / street.slab
        joint = ~road & ((_fraction(depth * slabs) < 0.04 * slabs) | (_fraction(x * slabs) < 0.03 * slabs))
        shade[joint] = shade[joint] * 3 >> 2
    red, green, blue = street.paving
    tarmac = street.tarmac
    colours = [(tarmac, tarmac, tarmac + 3), street.paving, (red + 24, green + 24, blue + 24), (206, 206, 200)]
    material = np.where(mark, 3, np.where(kerb, 2, np.where(road, 0, 1)))
    plain, dim = int(256.0 * light.on((0.0, 1.0, 0.0))), int(256.0 * light.ambient)
    shaded = x > street.shadow if light.sun[0] > 0.0 else x < -street.shadow
    _paint(canvas, where, colours, material, shade * np.where(shaded, dim, plain).astype(np.int32), light)
    canvas.segment.ravel()[where] = np.where(road, ROAD, WALK)
    canvas.nearness.ravel()[where] = 1.0 / depth


def _paint(
    canvas: Canvas,
    where: npt.NDArray[np.intp],
    colours: Sequence[Colour],
    material: npt.NDArray[np.intp],
    shade: Ints,
    light: Light,
) -> None:
    """Paint pixels with the colour of their material times the shade (65536 is factor 1), in the light's tint."""
    tinted = [[int(value * tint) for value, tint in zip(colour, light.tint, strict=True)] for colour in colours]
    palette = np.array(tinted, dtype=np.int32)
    level = (shade >> 8).clip(0, 2047)
    pixels = canvas.colour.reshape(-1, 3)
    for channel in range(3):
        value = palette[:, channel][material]
        value *= level
        value >>= 8
        pixels[where, channel] = np.minimum(value, 255)
