"""Convex solids with flat faces, and figures painted on the faces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness_plugins.demo_world.bodies import Part
from harness_plugins.demo_world.geometry import PinholeCamera, Plane, Point, Stand, cos_sin, middle, outward
from harness_plugins.demo_world.light import Colour, Light


@dataclass(frozen=True, slots=True)
class Face:
    """A visible flat face: its corners in world coordinates, its brightness and its depth plane."""

    corners: tuple[Point, ...]
    brightness: float
    plane: Plane


@dataclass(frozen=True, slots=True)
class SolidPainter:
    """Converts the faces of an object, and figures on the faces, to flat parts that the compositor can draw."""

    camera: PinholeCamera
    light: Light

    def part(self, corners: Sequence[Point], colour: Colour, face: Face, grain: int) -> Part:
        """Return a polygon on a face as a flat part, with the face's brightness."""
        outline = [self.camera.project(corner) for corner in corners]
        return Part(outline, self.light.lit(colour, face.brightness), grain, face.plane)

    def fill(self, face: Face, colour: Colour, grain: int) -> Part:
        """Return the whole face as a flat part, filled with one colour."""
        return self.part(face.corners, colour, face, grain)

    def patch(self, face: Face, area: tuple[float, float, float, float], colour: Colour, grain: int = 12) -> Part:
        """Return a rectangle on a face with four corners.

        `area` is (left, bottom, right, top) as shares of the face, 0-1. The face's corners must be in the order bottom
        left, bottom right, top right, top left.
        """
        left, bottom, right, top = area
        corners = [_point_on(face, u, v) for u, v in ((left, bottom), (right, bottom), (right, top), (left, top))]
        return self.part(corners, colour, face, grain)


def _point_on(face: Face, u: float, v: float) -> Point:
    """Return the point at the shares (u, v) of a face with four corners, by bilinear interpolation."""
    low_left, low_right, high_right, high_left = face.corners
    x, y, z = (
        (a * (1.0 - u) + b * u) * (1.0 - v) + (d * (1.0 - u) + c * u) * v
        for a, b, c, d in zip(low_left, low_right, high_right, high_left, strict=True)
    )
    return x, y, z


@dataclass(frozen=True, slots=True)
class Prism:
    """A solid between two mirrored sides.

    Its `outline` is a convex polygon of (ahead, up, half width) in metres. Seen from the object's right, it runs
    counter-clockwise: rear bottom, front bottom, ... rear top.
    """

    outline: tuple[tuple[float, float, float], ...]

    def faces(self, stand: Stand, camera: PinholeCamera, light: Light) -> Iterator[tuple[str, int, Face]]:
        """Yield the faces that the camera sees: ("side", -1 or 1, face) and ("rim", number of the outline's edge,
        face)."""
        left = tuple(stand.place(width, up, ahead) for ahead, up, width in self.outline)
        right = tuple(stand.place(-width, up, ahead) for ahead, up, width in self.outline)
        inside = middle((*left, *right))
        for number in range(len(left)):
            follower = (number + 1) % len(left)
            low, high = (number, follower) if left[number][1] <= left[follower][1] else (follower, number)
            rim = (left[low], right[low], right[high], left[high])
            yield from _if_visible("rim", number, rim, inside, camera, light)
        yield from _if_visible("side", 1, left, inside, camera, light)
        yield from _if_visible("side", -1, right, inside, camera, light)


def _if_visible(
    kind: str, number: int, corners: tuple[Point, ...], inside: Point, camera: PinholeCamera, light: Light
) -> Iterator[tuple[str, int, Face]]:
    """Yield the face if its front is towards the camera."""
    normal = outward(corners, inside)
    corner = corners[0]
    facing = normal[0] * corner[0] + normal[1] * (corner[1] - camera.height) + normal[2] * corner[2]
    if facing < 0.0:
        yield kind, number, Face(corners, light.on(normal), camera.plane(corner, normal))


def disc(stand: Stand, side: float, up: float, ahead: float, radius: float, corners: int = 12) -> list[Point]:
    """Return the corners of a disc in the plane `side` metres to the left of the object's centre."""
    points = []
    for number in range(corners):
        cosine, sine = cos_sin(number / corners)
        points.append(stand.place(side, up + radius * sine, ahead + radius * cosine))
    return points
