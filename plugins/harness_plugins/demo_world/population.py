"""Convert the placements of a plan to bodies that the compositor can draw."""

import math
from collections.abc import Iterator, Sequence

from harness_plugins.demo_world import furniture
from harness_plugins.demo_world.bodies import Body, Part, sprite
from harness_plugins.demo_world.classes import FIRST_OBJECT, SEGMENTS
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import Pixel, hull
from harness_plugins.demo_world.layout import Placement, StreetPlan
from harness_plugins.demo_world.persons import look, other_side, person
from harness_plugins.demo_world.postures import Posture, casual, gesturing, joints
from harness_plugins.demo_world.vehicles import LENGTHS, WIDTHS, vehicle

_GREEN = SEGMENTS.index("vegetation")


def bodies(scene: StreetPlan, height: int, width: int) -> list[Body]:
    """Return all bodies of a scene on a canvas of `height` by `width` pixels, from far to near."""
    unsorted = [body for placement in scene.placements for body in _bodies(placement, scene, height, width)]
    return sorted(unsorted, key=lambda body: -body.depth)


def moving(placement: Placement, scene: StreetPlan, height: int, width: int, posture: Posture | None) -> list[Body]:
    """Return the bodies of one moving object in one frame of a clip.

    A person has the given posture; with None, a random posture from the person's own seed.
    """
    column, row = scene.camera.project((placement.stand.x, 0.0, placement.stand.z))
    return list(_bodies(placement, scene, height, width, posture, (math.floor(row), math.floor(column))))


def _bodies(
    placement: Placement,
    scene: StreetPlan,
    height: int,
    width: int,
    posture: Posture | None = None,
    anchor: tuple[int, int] | None = None,
) -> Iterator[Body]:
    draws = RandomDraws(scene.seed, placement.seed)
    stand, camera, light, kind = placement.stand, scene.camera, scene.light, placement.kind
    grain = placement.seed >> 7

    def made(name: str, parts: Sequence[Part], depth: float, points: tuple[Pixel, ...] = ()) -> Iterator[Body]:
        segment = SEGMENTS.index(name)
        pixels = sprite(parts, height, width, grain, anchor)
        if pixels is not None:
            yield Body(segment, max(segment - FIRST_OBJECT, -1), depth, pixels, points)

    if kind in LENGTHS:
        yield from made(kind, vehicle(kind, stand, camera, light, draws), stand.z)
    elif kind == "person":
        dress = look(draws)
        if posture is None:
            posture = gesturing(draws) if scene.posing else casual(draws)
        frame = joints(posture, stand, dress.tall)
        points = tuple(camera.project(joint) for joint in frame)
        left = other_side(dress) if scene.posing else None
        yield from made(kind, person(frame, stand, dress, camera, light, left), stand.z, points)
    elif kind == "sign":
        size = draws.uniform(0.75, 1.15)
        yield from made("furniture", furniture.pole(stand, placement.up, 0.09, camera, light), stand.z + 0.01)
        yield from made(kind, furniture.sign(stand, placement.up, size, camera, light, draws), stand.z)
    elif kind == "light":
        yield from made("furniture", furniture.pole(stand, placement.up, 0.12, camera, light), stand.z + 0.01)
        yield from made(kind, furniture.traffic_light(stand, placement.up, camera, light, draws), stand.z)
    elif kind == "lamp":
        yield from made("furniture", furniture.lamp_post(stand, placement.size, camera, light), stand.z)
    elif kind == "bin":
        yield from made("furniture", furniture.bin_or_box(stand, camera, light, draws), stand.z)
    elif kind == "tree":
        yield from made("vegetation", furniture.trunk(stand, placement.up, 0.16, camera, light), stand.z + 0.01)
        leaves = furniture.crown(stand, placement.up, placement.size, camera, light, draws, height, width)
        if leaves is not None:
            yield Body(_GREEN, -1, stand.z, leaves)


def shadows(scene: StreetPlan) -> list[list[Pixel]]:
    """Return the outlines of the objects' shadows on the ground, in canvas pixels."""
    sun, outlines = scene.light.sun, []
    stretch = 0.5 if scene.light.direct > 0.3 else 0.0
    for placement in scene.placements:
        stand = placement.stand
        half, length = WIDTHS.get(placement.kind, 0.3) / 2.0, LENGTHS.get(placement.kind, 0.3) / 2.0
        if placement.kind in ("sign", "light", "lamp"):
            continue
        if placement.kind == "tree":
            half = length = 0.3 * placement.size
        points = []
        for dx, dz in ((-half, -length), (half, -length), (half, length), (-half, length)):
            for up in (0.0, stretch * 1.6):
                x, _, z = stand.place(dx * 1.06, 0.0, dz * 1.02)
                points.append((x - sun[0] / sun[1] * up, 0.0, z - sun[2] / sun[1] * up))
        if min(z for _, _, z in points) > 0.8:
            outlines.append(hull([scene.camera.project(point) for point in points]))
    return outlines
