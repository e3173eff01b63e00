"""Signs, traffic lights, lamp posts, bins and trees."""

import numpy as np

from harness_plugins.demo_world import raster, texture
from harness_plugins.demo_world.bodies import Part, Sprite
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import PinholeCamera, Pixel, Stand, cos_sin
from harness_plugins.demo_world.light import Colour, Light

_STEEL: Colour = (112, 114, 116)


def _flat(
    corners: list[tuple[float, float]], stand: Stand, camera: PinholeCamera, colour: Colour, grain: int = 16
) -> Part:
    """Return a polygon in the vertical plane at the stand. `corners` are (side, up) in metres."""
    outline = [camera.project(stand.place(side, up, 0.0)) for side, up in corners]
    return Part(outline, colour, grain, camera.upright(stand.z))


def _rectangle(side: float, low: float, half: float, high: float) -> list[tuple[float, float]]:
    """Return the corners (side, up) of a rectangle that extends `half` to both sides of `side`, in metres."""
    return [(side - half, low), (side + half, low), (side + half, high), (side - half, high)]


def _round(up: float, radius: float, corners: int, turn: float) -> list[tuple[float, float]]:
    """Return the corners (side, up) of a regular polygon around (0, up), in metres; `turn` rotates it, in turns."""
    points = []
    for number in range(corners):
        cosine, sine = cos_sin(number / corners + turn)
        points.append((radius * sine, up + radius * cosine))
    return points


def pole(stand: Stand, top: float, thick: float, camera: PinholeCamera, light: Light) -> list[Part]:
    """Return a steel post from the ground up to `top` metres, `thick` metres wide."""
    bright = light.lit(_STEEL, light.ambient + 0.5 * light.direct)
    dark = light.lit(_STEEL, light.ambient * 0.6)
    return [
        _flat(_rectangle(0.0, 0.0, thick / 2.0, top), stand, camera, dark),
        _flat(_rectangle(thick * 0.12, 0.0, thick * 0.28, top), stand, camera, bright),
    ]


def lamp_post(stand: Stand, side: float, camera: PinholeCamera, light: Light) -> list[Part]:
    """Return a street lamp with an arm of `side` metres over the road."""
    colour = light.lit((84, 88, 88), light.ambient)
    head = [(side * 0.7, 5.9), (side * 1.2, 5.9), (side * 1.2, 6.1), (side * 0.7, 6.1)]
    arm = [(0.0, 5.75), (0.0, 5.85), (side, 6.1), (side, 6.0)]
    parts = pole(stand, 5.85, 0.18, camera, light)
    return [*parts, _flat(arm, stand, camera, colour), _flat(head, stand, camera, light.lit((210, 208, 196), 1.0))]


def bin_or_box(stand: Stand, camera: PinholeCamera, light: Light, draws: RandomDraws) -> list[Part]:
    """Return a litter bin, post box or switch cabinet. It belongs to no detection class."""
    half, top = draws.uniform(0.2, 0.5), draws.uniform(0.7, 1.3)
    level = draws.uniform(50.0, 150.0)
    colour = light.lit((int(level), int(level * draws.uniform(0.8, 1.1)), int(level * 0.9)), light.ambient + 0.15)
    lid = light.lit((int(level * 0.6),) * 3, light.ambient)
    return [
        _flat(_rectangle(0.0, 0.0, half, top), stand, camera, colour, 40),
        _flat(_rectangle(0.0, top * 0.84, half * 1.08, top), stand, camera, lid, 20),
        _flat(_rectangle(half * 0.1, top * 0.3, half * 0.5, top * 0.6), stand, camera, lid, 20),
    ]


def sign(stand: Stand, up: float, size: float, camera: PinholeCamera, light: Light, draws: RandomDraws) -> list[Part]:
    """Return the board of a traffic sign. Its centre is `up` metres high, and it is `size` metres across."""
    bright = light.ambient + 0.35 * light.direct + 0.05
    white, dark = light.lit((232, 232, 228), bright), light.lit((26, 26, 30), bright)
    red, blue = light.lit((150, 22, 26), bright), light.lit((24, 48, 110), bright)
    kind, radius = draws.below(4), size / 2.0
    if kind == 0:  # speed limit: dark ring, white field, two digits
        layers = [(_round(up, radius, 16, 0.0), red), (_round(up, radius * 0.72, 16, 0.0), white)]
        for side in (-0.24, 0.24):
            layers.append((_rectangle(side * radius, up - radius * 0.36, radius * 0.13, up + radius * 0.36), dark))
    elif kind == 1:  # warning: triangle
        layers = [(_round(up - radius * 0.1, radius * 1.15, 3, 0.0), red)]
        layers.append((_round(up - radius * 0.1, radius * 0.72, 3, 0.0), white))
        layers.append((_rectangle(0.0, up - radius * 0.34, radius * 0.1, up + radius * 0.3), dark))
    elif kind == 2:  # stop: octagon with a bar
        layers = [(_round(up, radius * 1.05, 8, 0.0625), white), (_round(up, radius * 0.92, 8, 0.0625), red)]
        layers.append((_rectangle(0.0, up - radius * 0.18, radius * 0.68, up + radius * 0.18), white))
    else:  # direction: square with an arrow
        layers = [(_rectangle(0.0, up - radius, radius, up + radius), white)]
        layers.append((_rectangle(0.0, up - radius * 0.88, radius * 0.88, up + radius * 0.88), blue))
        layers.append((_rectangle(0.0, up - radius * 0.6, radius * 0.14, up + radius * 0.2), white))
        layers.append((_round(up + radius * 0.25, radius * 0.5, 3, 0.0), white))
    return [_flat(outline, stand, camera, colour) for outline, colour in layers]


def traffic_light(stand: Stand, up: float, camera: PinholeCamera, light: Light, draws: RandomDraws) -> list[Part]:
    """Return a traffic light whose centre is `up` metres high: a dark box with a light rim and one of three lamps
    on."""
    half, tall = 0.27, 0.66
    box = light.lit((20, 22, 24), light.ambient)
    parts = [
        _flat(_rectangle(0.0, up - tall, half, up + tall), stand, camera, light.lit((190, 190, 180), light.ambient)),
        _flat(_rectangle(0.0, up - tall + 0.06, half - 0.06, up + tall - 0.06), stand, camera, box),
    ]
    lit = draws.choice((0, 2, 2, 0, 1))
    lamps: tuple[Colour, ...] = ((255, 92, 70), (255, 214, 96), (130, 255, 190))
    for number, colour in enumerate(lamps):
        lamp_colour = colour if number == lit else (colour[0] // 5, colour[1] // 5, colour[2] // 5)
        parts.append(_flat(_round(up + 0.38 * (1 - number), 0.15, 8, 0.0625), stand, camera, lamp_colour, 0))
    return parts


def trunk(stand: Stand, top: float, thick: float, camera: PinholeCamera, light: Light) -> list[Part]:
    """Return the trunk of a tree, `top` metres high."""
    bark: Colour = (86, 72, 58)
    left, right = light.lit(bark, light.ambient * 0.7), light.lit(bark, light.ambient + 0.3 * light.direct)
    broad = [(-thick, 0.0), (thick, 0.0), (thick * 0.6, top), (-thick * 0.6, top)]
    slim = [(thick * 0.1, 0.0), (thick, 0.0), (thick * 0.6, top), (thick * 0.1, top)]
    return [_flat(broad, stand, camera, left, 90), _flat(slim, stand, camera, right, 90)]


def crown(
    stand: Stand,
    up: float,
    size: float,
    camera: PinholeCamera,
    light: Light,
    draws: RandomDraws,
    height: int,
    width: int,
) -> Sprite | None:
    """Return the leaves of a tree: a few round clumps around `up` metres, `size` metres across, with a ragged edge."""
    column, row = camera.project((stand.x, up, stand.z))
    scale = camera.focal / stand.z
    clumps = []
    for _ in range(5):
        clumps.append(
            (
                column + draws.uniform(-0.3, 0.3) * size * scale,
                row + draws.uniform(-0.28, 0.28) * size * scale,
                draws.uniform(0.22, 0.36) * size * scale,
            )
        )
    green = draws.uniform(0.0, 1.0)
    base: Colour = (int(66 + 40 * green), int(88 + 22 * green), int(44 + 8 * green))
    seed, grow = draws.below(1 << 18), 1.5
    edges: list[list[Pixel]] = [[(x - r * grow, y - r * grow), (x + r * grow, y + r * grow)] for x, y, r in clumps]
    top, left, bottom, right = raster.window(edges, height, width)
    if top >= bottom or left >= right:
        return None
    rows = np.arange(top, bottom, dtype=np.float64)[:, None]
    columns = np.arange(left, right, dtype=np.float64)[None, :]
    solid = np.full((bottom - top, right - left), -4096, dtype=np.int32)
    lit = np.zeros_like(solid)
    for x, y, radius in clumps:
        down, across = (rows - y) / radius, (columns - x) / radius
        inside = (256.0 * (1.0 - down * down - across * across)).clip(-2048.0, 256.0).astype(np.int32)
        shade = (across * (60.0 * light.sun[0]) - down * 60.0).clip(-90.0, 90.0).astype(np.int32)
        np.copyto(lit, shade, where=inside > solid)
        np.maximum(solid, inside, out=solid)
    leaves = texture.patch(seed, seed >> 9, bottom - top, right - left).astype(np.int32)
    fine = texture.lookup(
        np.arange(top, bottom)[:, None] * 3 + seed, np.arange(left, right)[None, :] * 3 + (seed >> 5)
    ).astype(np.int32)
    cover = solid + leaves + fine > 24
    strength = int(256.0 * (light.ambient + 0.4 * light.direct))
    shade = (256 + lit + leaves + fine) * strength >> 8
    colour = np.array(base, dtype=np.int32) * shade[:, :, None] >> 8
    nearness = np.full(cover.shape, 1.0 / stand.z, dtype=np.float32)
    return Sprite(top, left, cover, colour.clip(0, 255).astype(np.uint8), nearness, 1.0)
